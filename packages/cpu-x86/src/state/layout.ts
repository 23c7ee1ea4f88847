import { CELL_SIZE, type CellSpec, type CellType } from './cells.ts';
import { CORE_CELLS } from './cells-core.ts';
import { DEBUG_CELLS } from './cells-debug.ts';
import { FPU_CELLS } from './cells-fpu.ts';
import { SHARED_CELLS } from './cells-shared.ts';
import { SYSTEM_CELLS } from './cells-system.ts';
import { TLB_CELLS } from './cells-tlb.ts';
import { PARKED, STATE_BASE } from './memory-map.ts';

const VCPU_CELLS = { ...CORE_CELLS, ...SYSTEM_CELLS, ...FPU_CELLS, ...DEBUG_CELLS, ...TLB_CELLS } as const;
/** The shared cells begin at a cache line of their own. */
const SHARED_ALIGN = 64;
const FIRST_SHARED = Object.keys(SHARED_CELLS)[0];
/** All state cells in the order of their addresses: a vCPU's, then those that all vCPUs share. */
export const CELLS = { ...VCPU_CELLS, ...SHARED_CELLS } as const;
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
    const align = name === FIRST_SHARED ? SHARED_ALIGN : stride;
    at = Math.ceil(at / align) * align;
    out[name] = { name, address: at, type: spec.type, stride, count, doc: spec.doc };
    at += stride * count;
  }
  return out as Record<CellName, CellPlace>;
}

/** The one state table: every user of the CPU's state (generated code, accessors, vmstate, debuggers) derives from it. */
export const STATE: Readonly<Record<CellName, CellPlace>> = place();

const endOf = (places: readonly CellPlace[]): number => Math.max(...places.map((p) => p.address + p.stride * p.count));

/** End of a vCPU's cells, which begin at STATE_BASE; the shared cells follow. */
export const STATE_END: number = STATE[FIRST_SHARED as CellName].address;

if (STATE_END - STATE_BASE > PARKED.bytes || endOf(Object.values(STATE)) > PARKED.first)
  throw new RangeError('the state cells have outgrown their place in the memory map');

/** Wasm address of a cell's element. */
export function cellAddress(name: CellName, index = 0): number {
  const p = STATE[name];
  return p.address + p.stride * index;
}
