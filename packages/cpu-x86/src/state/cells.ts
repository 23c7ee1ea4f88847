/** Storage type of a state cell. `u8`..`u32` are i32 in wasm, `u64` is i64, `v128` is sixteen bytes. */
export type CellType = 'u8' | 'u16' | 'u32' | 'i32' | 'u64' | 'f64' | 'v128';

/** One row of the state table: storage type and number of elements (1 when absent). */
export interface CellSpec {
  readonly type: CellType;
  readonly count?: number;
  /** What it holds, for debuggers and documentation. */
  readonly doc: string;
}

/** Rows of a state table by name. */
export type CellTable = Readonly<Record<string, CellSpec>>;

/** Bytes of one element. */
export const CELL_SIZE: Readonly<Record<CellType, number>> = {
  u8: 1,
  u16: 2,
  u32: 4,
  i32: 4,
  u64: 8,
  f64: 8,
  v128: 16,
};

/** Keeps the literal names and types of a table of cells. */
export function cells<const T extends CellTable>(table: T): T {
  return table;
}
