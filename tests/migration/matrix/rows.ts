import { CANCEL_ROWS } from './cancel-rows.ts';
import { DIRTY_LIMIT_ROWS } from './dirty-limit-rows.ts';
import { FILE_ROWS } from './file-rows.ts';
import { LATER_ROWS } from './later-rows.ts';
import { MAPPED_RAM_ROWS } from './mapped-ram-rows.ts';
import { MISC_ROWS } from './misc-rows.ts';
import { MULTIFD_ROWS } from './multifd-rows.ts';
import { PRECOPY_ROWS } from './precopy-rows.ts';
import type { Row } from './row.ts';
import { TLS_ROWS } from './tls-rows.ts';
import { XBZRLE_ROWS } from './xbzrle-rows.ts';

/** QEMU's migration tests, row by row. */
export const ROWS: readonly Row[] = [
  ...PRECOPY_ROWS,
  ...XBZRLE_ROWS,
  ...FILE_ROWS,
  ...MAPPED_RAM_ROWS,
  ...DIRTY_LIMIT_ROWS,
  ...CANCEL_ROWS,
  ...MISC_ROWS,
  ...MULTIFD_ROWS,
  ...TLS_ROWS,
  ...LATER_ROWS,
];
