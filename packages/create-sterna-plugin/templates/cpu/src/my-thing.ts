import { type CpuEnvironment, CpuExit, defineCpu, type RegisterView, type VCpu, type VmStateTable } from '@sterna/core';

/** An instruction is a 32-bit word: the operation in the top byte, an address or value in the rest. */
export const OP = {
  /** acc = value */
  SET: 0,
  /** acc = memory[address] */
  LOAD: 1,
  /** memory[address] = acc */
  STORE: 2,
  /** acc += memory[address] */
  ADD: 3,
  /** pc = address, unless acc is 0 */
  JUMP_NONZERO: 4,
  /** waits for good */
  HALT: 5,
} as const;

const WORD = 4;
const OPERAND = 0xff_ffff;

/** What of the processor travels, and nothing else is kept between two instructions. */
class State {
  pc = 0;
  acc = 0;
  halted = false;
}

const vmstate: VmStateTable<State> = {
  name: 'my-thing-cpu',
  version: 1,
  fields: ({ u32, bool }) => [u32('pc'), u32('acc'), bool('halted')],
  postLoad(state) {
    if (state.pc % WORD !== 0) throw new RangeError(`pc 0x${state.pc.toString(16)} is not aligned`);
  },
};

class MyThing implements VCpu {
  readonly index: number;
  executed = 0;
  readonly sections: VCpu['sections'];
  readonly #state = new State();
  readonly #bus: CpuEnvironment['bus'];
  #limit = 0;

  constructor({ index, bus }: CpuEnvironment) {
    this.index = index;
    this.#bus = bus;
    this.sections = [{ idstr: vmstate.name, vmstate, state: this.#state }];
  }

  get halted(): boolean {
    return this.#state.halted;
  }

  run(budget: number): CpuExit {
    this.executed = 0;
    this.#limit = budget;
    while (this.executed < this.#limit) {
      if (this.#state.halted) return CpuExit.HALT;
      this.#step();
      this.executed++;
    }
    return this.#limit < budget ? CpuExit.REQUEST : CpuExit.BUDGET;
  }

  #step(): void {
    const state = this.#state;
    const bus = this.#bus;
    const word = bus.mmioRead(state.pc, WORD);
    const operand = word & OPERAND;
    state.pc = (state.pc + WORD) >>> 0;
    switch (word >>> 24) {
      case OP.SET:
        state.acc = operand;
        break;
      case OP.LOAD:
        state.acc = bus.mmioRead(operand, WORD);
        break;
      case OP.STORE:
        bus.mmioWrite(operand, WORD, state.acc);
        break;
      case OP.ADD:
        state.acc = (state.acc + bus.mmioRead(operand, WORD)) >>> 0;
        break;
      case OP.JUMP_NONZERO:
        if (state.acc !== 0) state.pc = operand - (operand % WORD);
        break;
      default:
        // An unknown operation stops the processor too: hardware never throws.
        state.halted = true;
    }
  }

  /** Nothing wakes it: it has no interrupts yet. */
  hasWork(): boolean {
    return false;
  }
  limitBudget(n: number): void {
    this.#limit = Math.min(this.#limit, this.executed + n);
  }
  requestExit(): void {
    this.limitBudget(1);
  }
  reset(): void {
    Object.assign(this.#state, new State());
  }
  // It keeps no copies of pages or decoded code that could become stale.
  flushTlb(): void {}
  flushWriteTags(): void {}
  invalidateCode(): void {}

  registers(): RegisterView[] {
    const state = this.#state;
    return [
      {
        name: 'pc',
        bits: 32,
        read: () => BigInt(state.pc),
        write: (value) => {
          state.pc = Number(value);
        },
      },
      {
        name: 'acc',
        bits: 32,
        read: () => BigInt(state.acc),
        write: (value) => {
          state.acc = Number(value);
        },
      },
    ];
  }
  describe(): string {
    const { pc, acc, halted } = this.#state;
    return `PC=${pc.toString(16).padStart(8, '0')} ACC=${acc.toString(16).padStart(8, '0')} HLT=${Number(halted)}\n`;
  }
  /** Addresses are physical. */
  translateDebug(address: bigint): number {
    return Number(address);
  }
}

/** {{DESCRIPTION}}. */
export const myThing = defineCpu({
  name: 'my-thing',
  description: '{{DESCRIPTION}}',
  properties: {},
  hasTimestampCounter: false,
  create: (_, environment) => new MyThing(environment),
});
