import { regionCall, regionPage, regionRead, regionStore, regionWrite } from '../jit/slow-paths.ts';
import type { Micro } from '../semantics/micro.ts';
import { walk } from '../system/walk.ts';
import { probeWriteRange, translate } from './access.ts';
import { linearAny } from './address.ts';
import { evalCarry, evalCond } from './flags.ts';
import { find } from './lookup.ts';
import { flushParkedWriteTags, switchCells } from './parked.ts';
import { physLoad64, physStore64 } from './physical.ts';

/** Further microcode that the CPU object calls between slices, or regions do. */
export const EXPORTED_MICRO: readonly Micro[] = [
  switchCells,
  flushParkedWriteTags,
  translate,
  walk,
  physLoad64,
  physStore64,
  probeWriteRange,
  linearAny,
  evalCarry,
  evalCond,
  find,
  regionRead,
  regionStore,
  regionWrite,
  regionCall,
  regionPage,
];
