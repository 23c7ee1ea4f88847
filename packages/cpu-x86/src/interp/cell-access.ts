import { type Code, Val } from '@sterna/wasm';
import { type CellName, cellAddress, STATE } from '../state/layout.ts';

const LOAD = { u8: 'i32.8u', u16: 'i32.16u', u32: 'i32', i32: 'i32', u64: 'i64', f64: 'f64', v128: 'v128' } as const;
const STORE = { u8: 'i32.8', u16: 'i32.16', u32: 'i32', i32: 'i32', u64: 'i64', f64: 'f64', v128: 'v128' } as const;

/** Loads and stores of state cells for a function body. */
export class CellAccess {
  readonly #code: Code;

  constructor(code: Code) {
    this.#code = code;
  }

  /** Value of a cell's element; evaluated where it is used. */
  get(name: CellName, index: number | Val<'i32'>): Val {
    const m = this.#code;
    const { type, stride } = STATE[name];
    if (typeof index === 'number') return m.load(LOAD[type], 0, cellAddress(name, index));
    return m.load(LOAD[type], m.mul(index, stride), cellAddress(name));
  }

  /** Statement: writes a cell's element. */
  put(name: CellName, value: Val | number, index: number | Val<'i32'>): void {
    const m = this.#code;
    const { type, stride } = STATE[name];
    const kind = STORE[type];
    const v = value instanceof Val ? value : m.literal(kind === 'i64' ? 'i64' : kind === 'f64' ? 'f64' : 'i32', value);
    if (typeof index === 'number') m.store(kind, 0, v as never, cellAddress(name, index));
    else m.store(kind, m.mul(index, stride), v as never, cellAddress(name));
  }
}
