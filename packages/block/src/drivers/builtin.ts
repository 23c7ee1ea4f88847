import type { BlockDriverType } from '@sterna/core';
import { blkdebug } from './blkdebug.ts';
import { file } from './file.ts';
import { nullCo } from './null-co.ts';
import { raw } from './raw.ts';

/** The drivers that come with this package. */
export const blockDrivers: readonly BlockDriverType[] = [raw, file, nullCo, blkdebug];
