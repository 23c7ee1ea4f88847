import type { Micro } from '../semantics/micro.ts';
import { walk } from '../system/walk.ts';
import { translate } from './access.ts';
import { physLoad64, physStore64 } from './physical.ts';

/** Further microcode that the CPU object calls between slices. */
export const EXPORTED_MICRO: readonly Micro[] = [translate, walk, physLoad64, physStore64];
