import type { CpuDebug, DebugStop, DebugView, WatchKind, Watchpoint } from '@sterna/core';
import { Seg } from '../semantics/vectors.ts';
import { HOST_BREAKS, HOST_DEBUG, HOST_STOP, HOST_WATCHES } from '../state/cells-debug.ts';
import type { DebuggedCpu } from './debugged-cpu.ts';
import { HostAccess } from './host-debug.ts';
import { debugView } from './register-view.ts';

const KIND_BITS: Readonly<Record<WatchKind, number>> = {
  write: HostAccess.WRITE,
  read: HostAccess.READ,
  access: HostAccess.WRITE | HostAccess.READ,
};

/** Debugging of an x86 CPU: keeps what is asked for, and writes it to the cells that generated code reads. */
export class X86Debug implements CpuDebug {
  readonly littleEndian = true;
  readonly #cpu: DebuggedCpu;
  readonly #breaks = new Set<bigint>();
  #watches: Watchpoint[] = [];
  /** STEP and MASK bits. */
  #stepping = 0;

  constructor(cpu: DebuggedCpu) {
    this.#cpu = cpu;
  }

  view(architecture?: string): DebugView {
    return debugView(this.#cpu, architecture);
  }

  setBreakpoint(address: bigint): boolean {
    const linear = BigInt.asUintN(64, address);
    if (this.#breaks.has(linear)) return true;
    if (this.#breaks.size >= HOST_BREAKS) return false;
    this.#breaks.add(linear);
    this.#changed();
    return true;
  }

  clearBreakpoint(address: bigint): void {
    if (this.#breaks.delete(BigInt.asUintN(64, address))) this.#changed();
  }

  setWatchpoint(watchpoint: Watchpoint): boolean {
    if (this.#watches.some((other) => sameWatchpoint(other, watchpoint))) return true;
    if (this.#watches.length >= HOST_WATCHES) return false;
    this.#watches.push(watchpoint);
    this.#changed();
    return true;
  }

  clearWatchpoint(watchpoint: Watchpoint): void {
    const left = this.#watches.filter((other) => !sameWatchpoint(other, watchpoint));
    if (left.length === this.#watches.length) return;
    this.#watches = left;
    this.#changed();
  }

  clearAll(): void {
    if (this.#breaks.size === 0 && this.#watches.length === 0) return;
    this.#breaks.clear();
    this.#watches = [];
    this.#changed();
  }

  step(on: boolean, interrupts: boolean): void {
    this.#stepping = on ? HOST_DEBUG.STEP | (interrupts ? 0 : HOST_DEBUG.MASK) : 0;
    this.#cpu.state.set('hostStepped', 0);
    this.#storeFlags();
  }

  get stop(): DebugStop | undefined {
    const stop = this.#cpu.state.get('hostStop');
    switch (stop & 0xff) {
      case HOST_STOP.BREAK:
        return { kind: 'breakpoint', address: codeAddress(this.#cpu) };
      case HOST_STOP.WATCH: {
        const watchpoint = this.#watches[stop >>> 8];
        return watchpoint === undefined ? { kind: 'step' } : { kind: 'watchpoint', watchpoint };
      }
      case HOST_STOP.STEP:
        return { kind: 'step' };
      default:
        return undefined;
    }
  }

  /** Writes everything again after a reset has cleared the cells. */
  restore(): void {
    if (this.#breaks.size > 0 || this.#watches.length > 0) this.#changed();
    else this.#storeFlags();
  }

  #changed(): void {
    const { state } = this.#cpu;
    [...this.#breaks].forEach((address, i) => void state.setBig('hostBreak', address, i));
    state.set('hostBreaks', this.#breaks.size);
    this.#watches.forEach(({ address, length, kind }, i) => {
      const first = BigInt.asUintN(64, address);
      state.setBig('hostWatchFirst', first, i);
      state.setBig('hostWatchLast', lastByte(first, length), i);
      state.set('hostWatchKind', KIND_BITS[kind], i);
    });
    state.set('hostWatches', this.#watches.length);
    this.#storeFlags();
    // a new choice of TLB, and pages with breakpoints out of the jump cache
    this.#cpu.stateChanged();
  }

  #storeFlags(): void {
    const breaks = this.#breaks.size > 0 ? HOST_DEBUG.BREAK : 0;
    const watches = this.#watches.length > 0 ? HOST_DEBUG.WATCH : 0;
    this.#cpu.state.set('hostDebug', breaks | watches | this.#stepping);
  }
}

function sameWatchpoint(a: Watchpoint, b: Watchpoint): boolean {
  return a.address === b.address && a.length === b.length && a.kind === b.kind;
}

/** Last byte of a range, which does not wrap around. */
function lastByte(first: bigint, length: number): bigint {
  const last = first + BigInt(Math.max(1, length) - 1);
  return last > 0xffff_ffff_ffff_ffffn ? 0xffff_ffff_ffff_ffffn : last;
}

function codeAddress({ state }: DebuggedCpu): bigint {
  const linear = state.getBig('rip') + state.getBig('segEff', Seg.CS);
  return (state.get('modeKey') & 3) === 2 ? BigInt.asUintN(64, linear) : BigInt.asUintN(32, linear);
}
