import {
  type CpuBus,
  type CpuDebug,
  type CpuEnvironment,
  CpuExit,
  type CpuVmstate,
  defineCpu,
  type RegisterView,
  type VCpu,
} from '@sterna/core';
import { CodeCache } from './code-cache.ts';
import { Cr16 } from './cr16.ts';
import { Cr16Debug } from './debug.ts';
import { EXCEPTION, enterException } from './exceptions.ts';
import { Cr16Memory, PAGE_WAIT } from './memory.ts';
import { PSR } from './psr.ts';
import { registersVmstate } from './registers.ts';
import { registerViews } from './views.ts';

/** Reading it acknowledges an interrupt: the controller answers with the number in the dispatch table. */
export const INTERRUPT_ACKNOWLEDGE = 0xff_fe00;
const INTERRUPTS_ON = PSR.I | PSR.E;

/** A CR16C. */
export class Cr16Cpu implements VCpu {
  readonly index: number;
  readonly core: Cr16;
  readonly debug: CpuDebug;
  readonly sections: readonly CpuVmstate[];
  executed = 0;
  /** Where a reset begins. */
  entry = 0;
  readonly #bus: CpuBus;
  readonly #code: CodeCache;
  readonly #debug: Cr16Debug;
  #interruptLine = false;
  #end = 0;

  constructor({ index, memory, bus }: Pick<CpuEnvironment, 'index' | 'memory' | 'bus'>) {
    this.index = index;
    this.#bus = bus;
    this.core = new Cr16(new Cr16Memory(memory, bus));
    this.#code = new CodeCache(this.core.memory);
    this.#debug = new Cr16Debug(this.core, () => this.requestExit());
    this.debug = this.#debug;
    const { registers } = this.core;
    this.sections = [{ idstr: 'cpu', vmstate: registersVmstate, state: registers }];
  }

  get halted(): boolean {
    return this.core.registers.waiting;
  }

  /** The interrupt controller's output. */
  setInterruptLine(level: boolean): void {
    this.#interruptLine = level;
    if (level) this.limitBudget(0);
  }

  #interruptPending(): boolean {
    return this.#interruptLine && (this.core.registers.psr & INTERRUPTS_ON) === INTERRUPTS_ON;
  }

  hasWork(): boolean {
    return !this.halted || this.#interruptPending();
  }

  run(budget: number): CpuExit {
    this.executed = 0;
    this.#end = budget;
    this.#debug.begin();
    try {
      return this.#loop();
    } catch (error) {
      if (error === PAGE_WAIT) return CpuExit.PAGE_WAIT;
      throw error;
    }
  }

  #loop(): CpuExit {
    const { core } = this;
    const { registers } = core;
    do {
      if (this.#interruptPending() && this.#debug.takesInterrupts) this.#interrupt();
      if (registers.waiting) return CpuExit.HALT;
      if (this.#debug.active && this.#debug.stopsBefore(registers.pc)) return CpuExit.DEBUG;
      this.#step();
      this.executed++;
      if (this.#debug.active && this.#debug.stopsAfter()) return CpuExit.DEBUG;
    } while (this.executed < this.#end);
    return CpuExit.BUDGET;
  }

  #step(): void {
    const { core } = this;
    const { registers } = core;
    const before = registers.psr;
    if ((before & PSR.P) !== 0) {
      enterException(core, EXCEPTION.TRC, registers.pc, 0);
      registers.pc = core.next;
      return;
    }
    const instruction = this.#code.at(registers.pc);
    core.next = (registers.pc + instruction.length) & 0xff_fffe;
    instruction.execute(core, instruction);
    registers.pc = core.next;
    // Traced programs get a trap after each instruction.
    if ((before & PSR.T) !== 0) registers.setFlags(PSR.P, PSR.P);
  }

  #interrupt(): void {
    const { registers } = this.core;
    const vector = this.#bus.mmioRead(INTERRUPT_ACKNOWLEDGE, 1) & 0x7f;
    enterException(this.core, vector, registers.pc, PSR.I);
    registers.pc = this.core.next;
  }

  limitBudget(n: number): void {
    this.#end = Math.min(this.#end, this.executed + n);
  }
  requestExit(): void {
    this.#end = 0;
  }
  reset(): void {
    this.core.registers.reset();
    this.core.registers.pc = this.entry;
  }
  flushTlb(): void {
    this.#code.clear();
  }
  /** Every write is reported, so there are no tags. */
  flushWriteTags(): void {}
  invalidateCode(hostAddress: number, length: number): void {
    this.#code.invalidate(hostAddress, length);
  }
  registers(): readonly RegisterView[] {
    return registerViews(this.core.registers);
  }

  describe(): string {
    const { r, pc, psr, isp, usp, intbase, cfg } = this.core.registers;
    const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');
    const narrow = [...r.slice(0, 12)].map((value, n) => `R${n}=${hex(value, 4)}`);
    const wide = ['R12', 'R13', 'RA', 'SP'].map((name, n) => `${name}=${hex(r[12 + n]!, 8)}`);
    const lines = [narrow.slice(0, 6), narrow.slice(6), wide].map((line) => line.join(' '));
    const rest = `PC=${hex(pc, 6)} PSR=${hex(psr, 4)} CFG=${hex(cfg, 4)} ISP=${hex(isp, 6)} USP=${hex(usp, 6)}`;
    return `${lines.join('\n')}\n${rest} INTBASE=${hex(intbase, 6)}${this.halted ? ' WAIT' : ''}\n`;
  }

  /** There is no address translation. */
  translateDebug(address: bigint): number | undefined {
    return address <= 0xff_ffffn ? Number(address) : undefined;
  }
}

/** CR16C, the third generation of National's 16-bit CompactRISC. */
export const cr16c = defineCpu({
  name: 'cr16c',
  description: 'National CR16C (CompactRISC, 16 bits, 24-bit addresses)',
  properties: {},
  hasTimestampCounter: false,
  create: (_, environment) => new Cr16Cpu(environment),
});
