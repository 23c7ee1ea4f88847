import { type Service, service } from '../container/service.ts';

/** One interrupt output of a device: a level that the machine has wired somewhere. */
export interface IrqLine {
  /** Drives the line. Setting the level it already has is harmless. */
  set(level: boolean): void;
}
/** The device's first interrupt output. */
export const IrqLine: Service<IrqLine> = service('IrqLine');

/** All interrupt outputs of a device that has several, in the order of its address. */
export type IrqLines = readonly IrqLine[];
/** All interrupt outputs of the device. */
export const IrqLines: Service<IrqLines> = service('IrqLines');

/** An input that can be driven, for example a pin of an interrupt controller. */
export type IrqHandler = (level: boolean) => void;

/** A wire: remembers its level and tells its handler about changes only. */
export class Irq implements IrqLine {
  #level = false;
  readonly #handler: IrqHandler;

  constructor(handler: IrqHandler) {
    this.#handler = handler;
  }

  /** True while the line is asserted. */
  get level(): boolean {
    return this.#level;
  }

  set(level: boolean): void {
    if (level === this.#level) return;
    this.#level = level;
    this.#handler(level);
  }
}

/** A wire that leads nowhere. */
export const UNCONNECTED_IRQ: IrqLine = { set: () => {} };

/** Drives several inputs from one output. */
export function splitIrq(...lines: readonly IrqLine[]): IrqLine {
  return new Irq((level) => {
    for (const line of lines) line.set(level);
  });
}

/** One input fed by several outputs: high while any of them is high. */
export class IrqOr {
  #high = 0;
  readonly #out: IrqLine;

  constructor(out: IrqLine) {
    this.#out = out;
  }

  /** A new input of the gate. */
  input(): IrqLine {
    return new Irq((level) => {
      this.#high += level ? 1 : -1;
      this.#out.set(this.#high > 0);
    });
  }
}
