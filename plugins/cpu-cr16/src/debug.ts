import type { CpuDebug, DebugStop, DebugView, Watchpoint } from '@sterna/core';
import type { Cr16 } from './cr16.ts';
import { registerViews } from './views.ts';

/** Breakpoints, watchpoints and single steps from outside. Nothing of the guest's is used. */
export class Cr16Debug implements CpuDebug {
  readonly littleEndian = true;
  stop: DebugStop | undefined;
  readonly #core: Cr16;
  readonly #requestExit: () => void;
  readonly #breakpoints = new Set<number>();
  readonly #watchpoints: Watchpoint[] = [];
  #stepping = false;
  #stepInterrupts = false;
  /** The first instruction of a slice runs even when it has a breakpoint: it is where the last one stopped. */
  #first = false;
  #hit: Watchpoint | undefined;

  constructor(core: Cr16, requestExit: () => void) {
    this.#core = core;
    this.#requestExit = requestExit;
  }

  /** Whether a slice has to ask. */
  get active(): boolean {
    return this.#stepping || this.#breakpoints.size > 0 || this.#watchpoints.length > 0;
  }
  /** Whether interrupts are taken. */
  get takesInterrupts(): boolean {
    return !this.#stepping || this.#stepInterrupts;
  }

  /** A slice begins. */
  begin(): void {
    this.#first = this.stop?.kind === 'breakpoint';
    this.stop = undefined;
    this.#hit = undefined;
  }

  /** Whether the slice ends before the instruction at an address. */
  stopsBefore(pc: number): boolean {
    const first = this.#first;
    this.#first = false;
    if (first || !this.#breakpoints.has(pc)) return false;
    this.stop = { kind: 'breakpoint', address: BigInt(pc) };
    return true;
  }

  /** Whether it ends after one. */
  stopsAfter(): boolean {
    const hit = this.#hit;
    this.#hit = undefined;
    if (hit !== undefined) this.stop = { kind: 'watchpoint', watchpoint: hit };
    else if (this.#stepping) this.stop = { kind: 'step' };
    return this.stop !== undefined;
  }

  view(): DebugView {
    return {
      architecture: 'cr16',
      features: [{ name: 'org.sterna.cr16.core', registers: registerViews(this.#core.registers) }],
    };
  }
  setBreakpoint(address: bigint): boolean {
    this.#breakpoints.add(Number(address));
    this.#requestExit();
    return true;
  }
  clearBreakpoint(address: bigint): void {
    this.#breakpoints.delete(Number(address));
  }
  setWatchpoint(watchpoint: Watchpoint): boolean {
    this.#watchpoints.push(watchpoint);
    this.#watch();
    return true;
  }
  clearWatchpoint({ address, length, kind }: Watchpoint): void {
    const at = this.#watchpoints.findIndex((w) => w.address === address && w.length === length && w.kind === kind);
    if (at >= 0) this.#watchpoints.splice(at, 1);
    this.#watch();
  }
  clearAll(): void {
    this.#breakpoints.clear();
    this.#watchpoints.length = 0;
    this.#watch();
  }
  step(on: boolean, interrupts: boolean): void {
    this.#stepping = on;
    this.#stepInterrupts = interrupts;
  }

  #watch(): void {
    this.#core.memory.onAccess =
      this.#watchpoints.length === 0 ? undefined : (at, size, write) => this.#see(at, size, write);
  }
  #see(at: number, size: number, write: boolean): void {
    for (const watchpoint of this.#watchpoints) {
      const { address, length, kind } = watchpoint;
      const from = Number(address);
      if (at >= from + length || at + size <= from) continue;
      if (kind === 'access' || (kind === 'write') === write) this.#hit = watchpoint;
    }
  }
}
