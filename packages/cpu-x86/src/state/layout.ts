import { CELL_SIZE, type CellSpec, type CellType } from './cells.ts';
import { CORE_CELLS } from './cells-core.ts';
import { FPU_CELLS } from './cells-fpu.ts';
import { SYSTEM_CELLS } from './cells-system.ts';
import { STATE_BASE } from './memory-map.ts';

/** All state cells of a vCPU, in the order of their addresses. */
export const CELLS = { ...CORE_CELLS, ...SYSTEM_CELLS, ...FPU_CELLS } as const;
/** Name of a state cell. */
export type CellName = keyof typeof CELLS;
/** Storage type of a named cell. */
export type TypeOfCell<N extends CellName> = (typeof CELLS)[N]['type'];

/** Where a cell is: wasm address of element 0, distance of elements. */
export interface CellPlace {
  readonly name: string;
  readonly address: number;
  readonly type: CellType;
  readonly stride: number;
  readonly count: number;
  readonly doc: string;
}

function place(): Readonly<Record<CellName, CellPlace>> {
  const out: Record<string, CellPlace> = {};
  let at = STATE_BASE;
  for (const [name, spec] of Object.entries(CELLS) as [string, CellSpec][]) {
    const stride = CELL_SIZE[spec.type];
    const count = spec.count ?? 1;
    at = Math.ceil(at / stride) * stride;
    out[name] = { name, address: at, type: spec.type, stride, count, doc: spec.doc };
    at += stride * count;
  }
  return out as Record<CellName, CellPlace>;
}

/** The one state table: every user of the CPU's state (generated code, accessors, vmstate, debuggers) derives from it. */
export const STATE: Readonly<Record<CellName, CellPlace>> = place();

/** End of the used part of the state block. */
export const STATE_END: number = Math.max(...Object.values(STATE).map((p) => p.address + p.stride * p.count));

/** Wasm address of a cell's element. */
export function cellAddress(name: CellName, index = 0): number {
  const p = STATE[name];
  return p.address + p.stride * index;
}
