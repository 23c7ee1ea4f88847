import { defineDevice, IrqLine } from '@sterna/core';
import { ICU_REGISTERS } from './memory-map.ts';

/** Inputs; each has one exception of its own. */
export const ICU_INPUTS = 16;
/** Exception of input 0. */
const FIRST_VECTOR = 16;

/** Level-triggered inputs with an enable bit each; the lowest number wins. */
export class InterruptController {
  /** Levels of the inputs. */
  pending = 0;
  enabled = 0;
  readonly #output: IrqLine;

  constructor(output: IrqLine) {
    this.#output = output;
  }

  /** Drives an input. */
  setInput(n: number, level: boolean): void {
    if (level) this.pending |= 1 << n;
    else this.pending &= ~(1 << n);
    this.update();
  }
  update(): void {
    this.#output.set((this.pending & this.enabled) !== 0);
  }
  /** Number of the exception that is to be served. */
  vector(): number {
    const active = this.pending & this.enabled;
    return active === 0 ? FIRST_VECTOR : FIRST_VECTOR + (31 - Math.clz32(active & -active));
  }
}

/** The interrupt controller of the CR16 board. */
export const cr16Icu = defineDevice({
  name: 'cr16-icu',
  bus: 'sysbus',
  description: 'CR16 board interrupt controller, 16 inputs',
  inject: [IrqLine],
  create: (_, output) => new InterruptController(output),
  registers: (icu) => ({
    IVCT: { offset: ICU_REGISTERS.IVCT, read: () => icu.vector() },
    ISTAT: { offset: ICU_REGISTERS.ISTAT, read: () => icu.pending },
    IENAM: {
      offset: ICU_REGISTERS.IENAM,
      read: () => icu.enabled,
      write: (value) => {
        icu.enabled = value & 0xffff;
        icu.update();
      },
    },
  }),
  reset: (icu) => {
    icu.enabled = 0;
    icu.update();
  },
  vmstate: {
    name: 'cr16-icu',
    version: 1,
    fields: ({ u16 }) => [u16('pending'), u16('enabled')],
    postLoad: (icu) => icu.update(),
  },
});
