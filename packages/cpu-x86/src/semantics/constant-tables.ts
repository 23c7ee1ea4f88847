import { CPU_MAP } from '../state/memory-map.ts';

/** Bytes that the printed module puts into memory for microcode. */
export interface ConstantTable {
  readonly address: number;
  readonly bytes: Uint8Array;
}

/** CRC-32C of each byte: the reversed polynomial of iSCSI (RFC 3720, 12.1). */
function crcTable(): Uint8Array {
  const table = Uint32Array.from({ length: 256 }, (_, n) => {
    let c = n;
    for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0x82f6_3b78 : c >>> 1;
    return c;
  });
  return new Uint8Array(table.buffer);
}

/** 256 words: see {@link CONSTANT_TABLES}. */
export const CRC_TABLE: number = CPU_MAP.constantsEnd - 1024;

/** Every table of the microcode. */
export const CONSTANT_TABLES: readonly ConstantTable[] = [{ address: CRC_TABLE, bytes: crcTable() }];
