import type { Cr16Memory } from './memory.ts';
import { Registers } from './registers.ts';

/** What instructions work on. */
export class Cr16 {
  readonly registers = new Registers();
  readonly memory: Cr16Memory;
  /** Where execution goes on after the current instruction. */
  next = 0;

  constructor(memory: Cr16Memory) {
    this.memory = memory;
  }
}
