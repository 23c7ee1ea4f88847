import type { WasmMemory } from '@sterna/core';
import { type CpuHost, type EngineCpu, X86Engine } from './engine.ts';
import { Exit } from './interp/events.ts';
import { CC } from './interp/flags.ts';
import { CPU_MAP, PARKED } from './state/memory-map.ts';
import { StateView } from './state/view.ts';
import { ACCESS } from './system/walk.ts';

/** Never reached by the instructions of a slice. */
const NEVER = 0x7fff_ffff;
/**
 * Instructions of a slice after which PAUSE ends it when another vCPU waits for its turn. A change of turns costs about as
 * much as some hundred instructions; a spin lock is tried a few times before.
 */
const SPIN_INSTRUCTIONS = 256;

/** The place of a vCPU that is not the first of its machine. */
export interface CpuPlacement {
  /** Its index; not more than 255. */
  readonly index: number;
  /** The first vCPU's. */
  readonly engine: X86Engine;
  /** Address of a `VCPU_AREA` in the machine's memory. */
  readonly area: number;
}

/** An x86-64 processor: its state in the machine's memory, run by an engine that it may share with others. */
export class X86Cpu implements EngineCpu {
  /** State cells. */
  readonly state: StateView;
  /** What it shares with the other vCPUs of its machine. */
  readonly engine: X86Engine;
  readonly host: CpuHost;
  readonly tlbArea: number;
  readonly parkedAt: number;

  constructor(memory: WasmMemory, host: CpuHost, place?: CpuPlacement, makeEngine?: () => X86Engine) {
    this.state = new StateView(memory.buffer);
    this.host = host;
    this.engine = place?.engine ?? makeEngine?.() ?? new X86Engine(memory);
    this.tlbArea = place?.area ?? CPU_MAP.tlbKernel;
    this.parkedAt = place === undefined ? PARKED.first : place.area + PARKED.offset;
    this.engine.attach(this);
    const { state } = this;
    state.set('tlbArea', this.tlbArea);
    state.set('jcGeneration', place?.index ?? 0);
    state.set('jcUserGeneration', place?.index ?? 0);
    this.flushTlb();
  }

  /**
   * Runs at most `budget` instructions and says why it came back (CpuExit). `contended`: another vCPU waits for its turn, and
   * PAUSE may end this one.
   */
  run(budget: number, contended = false): number {
    this.engine.activate(this);
    const s = this.state;
    s.set('yieldAfter', contended ? SPIN_INSTRUCTIONS : NEVER);
    s.set('budget', budget);
    s.set('icLeft', budget);
    s.set('icRest', 0);
    if (s.get('halted') !== 0) {
      if (!this.hasWork()) return Exit.HALT;
      s.set('halted', 0);
    }
    this.engine.beforeSlice();
    const reason = this.engine.code.run();
    this.engine.afterSlice();
    s.set('request', 0);
    return reason;
  }

  /** Instructions executed since `run` was entered. */
  get executed(): number {
    const s = this.state;
    return s.getSigned('budget') - s.getSigned('icLeft') - s.getSigned('icRest');
  }

  /** Pages that it was the first to write to since they were looked at; see core's VCpu. */
  get dirtied(): number {
    return this.state.get('dirtied');
  }

  /** True after HLT until an event. */
  get halted(): boolean {
    return this.state.get('halted') !== 0;
  }

  /** True when a halted CPU has something to deliver. */
  hasWork(): boolean {
    const s = this.state;
    if (s.get('nmiPending') !== 0 && s.get('nmiBlocked') === 0) return true;
    return s.get('irqLine') !== 0 && (s.get('eflags') & 0x200) !== 0;
  }

  /** During a callback: stop the slice after at most `n` more instructions. */
  limitBudget(n: number): void {
    const s = this.state;
    const left = s.getSigned('icLeft') + s.getSigned('icRest');
    if (left <= n) return;
    s.set('budget', s.getSigned('budget') - (left - n));
    s.set('icLeft', Math.min(s.getSigned('icLeft'), n));
    s.set('icRest', n - s.getSigned('icLeft'));
  }

  /** Come back from `run` as soon as possible. */
  requestExit(): void {
    // a parked one is out already
    if (!this.engine.isActive(this)) return;
    this.state.set('request', 1);
    this.#lookUp();
  }

  /** Makes the running loop look at events after the current instruction. */
  #lookUp(): void {
    const s = this.state;
    const left = s.getSigned('icLeft');
    if (left <= 0) return;
    s.set('icRest', s.getSigned('icRest') + left);
    s.set('icLeft', 0);
  }

  /** Level of the interrupt input. */
  setInterruptLine(level: boolean): void {
    this.state.set('irqLine', level ? 1 : 0);
    if (level) this.#lookUp();
  }

  /** Signals a non-maskable interrupt. */
  nmi(): void {
    this.state.set('nmiPending', 1);
    this.#lookUp();
  }

  /** The physical map changed: every translation is void. */
  flushTlb(): void {
    this.engine.as(this, (code) => code.flush_tlb());
  }

  /** The dirty bits were harvested: the next write to any page must be seen again. */
  flushWriteTags(): void {
    this.engine.flushWriteTags(this);
  }

  /** Somebody else wrote RAM that holds decoded code. */
  invalidateCode(hostAddress: number, length: number): void {
    this.engine.cache.invalidate(hostAddress, length);
  }

  /** Derives mode-dependent state after cells were set from outside (reset, vmstate, debugger), and drops translations. */
  stateChanged(): void {
    this.engine.as(this, (code) => {
      code.update_mode();
      code.flush_tlb();
    });
  }

  /** Guest-physical address behind a linear one, without side effects; undefined when unmapped. */
  translateDebug(linear: bigint): number | undefined {
    const { state } = this;
    if ((state.getBig('cr0') & 0x8000_0000n) === 0n) return Number(BigInt.asUintN(32, linear));
    if (this.engine.as(this, (code) => code.walk(BigInt.asIntN(64, linear), ACCESS.PROBE)) !== 0) return undefined;
    return Number(state.getBig('walkPhys')) + Number(linear & 0xfffn);
  }

  /** RFLAGS, complete. */
  get rflags(): number {
    return (this.state.get('eflags') | this.engine.as(this, (code) => code.eval_flags())) >>> 0;
  }

  /** Sets all of RFLAGS; nothing is left to be computed lazily. */
  set rflags(value: number) {
    const s = this.state;
    s.set('eflags', (value & ~0x8d5) | 2);
    s.setBig('ccA', BigInt(value & 0x8d5));
    s.set('ccKind', CC.ALL);
  }
}
