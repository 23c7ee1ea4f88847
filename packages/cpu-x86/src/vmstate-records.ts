import type { VmStateTable } from '@sterna/core';
import type { CellName } from './state/layout.ts';
import type { StateView } from './state/view.ts';

/** One segment register or descriptor table; tables have neither selector nor flags. */
export class SegmentRecord {
  readonly #state: StateView;
  readonly #cells: readonly [CellName | undefined, CellName, CellName, CellName | undefined];
  readonly #index: number;

  constructor(
    state: StateView,
    index: number,
    ...names: [CellName | undefined, CellName, CellName, CellName | undefined]
  ) {
    this.#state = state;
    this.#index = index;
    this.#cells = names;
  }
  get selector(): number {
    return this.#cells[0] === undefined ? 0 : this.#state.get(this.#cells[0], this.#index);
  }
  set selector(value: number) {
    if (this.#cells[0] !== undefined) this.#state.set(this.#cells[0], value, this.#index);
  }
  get base(): bigint {
    return this.#state.getBig(this.#cells[1], this.#index);
  }
  set base(value: bigint) {
    this.#state.setBig(this.#cells[1], value, this.#index);
  }
  get limit(): number {
    return this.#state.get(this.#cells[2], this.#index);
  }
  set limit(value: number) {
    this.#state.set(this.#cells[2], value, this.#index);
  }
  get flags(): number {
    return this.#cells[3] === undefined ? 0 : this.#state.get(this.#cells[3], this.#index);
  }
  set flags(value: number) {
    if (this.#cells[3] !== undefined) this.#state.set(this.#cells[3], value, this.#index);
  }
}

/** Wire form of a segment record. */
export const SEGMENT: VmStateTable<SegmentRecord> = {
  name: 'segment',
  version: 1,
  fields: ({ u32, u64 }) => [u32('selector'), u64('base'), u32('limit'), u32('flags')],
};

/** One element of an array of cells. */
export interface Element {
  readonly state: StateView;
  readonly index: number;
}

const FPREG_TMP: VmStateTable<Element> = {
  name: 'fpreg_tmp',
  version: 0,
  fields: ({ u64, u16 }) => [
    u64({
      name: 'tmp_mant',
      get: ({ state, index }) => state.getBig('fpMant', index),
      set: ({ state, index }, v) => state.setBig('fpMant', v, index),
    }),
    u16({
      name: 'tmp_exp',
      get: ({ state, index }) => state.get('fpExp', index),
      set: ({ state, index }, v) => state.set('fpExp', v, index),
    }),
  ],
};
/** One physical x87 register. */
export const FPREG: VmStateTable<Element> = { name: 'fpreg', version: 0, fields: ({ tmp }) => [tmp('tmp', FPREG_TMP)] };

/** Two quadwords of a vector register, named from `first`. */
export function vectorTable(name: string, cell: 'xmm' | 'ymmHigh', first: number): VmStateTable<Element> {
  return {
    name,
    version: 1,
    fields: ({ u64 }) => [
      u64({
        name: `_q_ZMMReg[${first}]`,
        get: ({ state, index }) => state.getBig(cell, index),
        set: ({ state, index }, v) => state.setBig(cell, v, index),
      }),
      u64({
        name: `_q_ZMMReg[${first + 1}]`,
        get: ({ state, index }) => state.getHigh(cell, index),
        set: ({ state, index }, v) => state.setHigh(cell, v, index),
      }),
    ],
  };
}

/** One variable-range MTRR. */
export const MTRR_VAR: VmStateTable<Element> = {
  name: 'mtrr_var',
  version: 1,
  fields: ({ u64 }) =>
    ['base', 'mask'].map((name, n) =>
      u64({
        name,
        get: ({ state, index }) => state.getBig('mtrrVar', index * 2 + n),
        set: ({ state, index }, v) => state.setBig('mtrrVar', v, index * 2 + n),
      }),
    ),
};
