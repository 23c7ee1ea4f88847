import type { ResumeAction, VCpu } from '@sterna/core';
import { Breakpoints } from './breakpoints.ts';
import { RegisterFile } from './register-file.ts';
import type { GdbTarget } from './target.ts';
import { targetXml } from './target-xml.ts';
import type { ThreadChoice } from './thread-id.ts';

/** Bits of QEMU's packets about single steps. */
export const StepFlag = { ENABLE: 1, NO_INTERRUPTS: 2 } as const;

/** What one gdb knows and has chosen, from its connection to its end. */
export class Session {
  readonly target: GdbTarget;
  readonly breakpoints: Breakpoints;
  /** Packets are no longer acknowledged. */
  noAck = false;
  /** gdb understands the reason of a stop at a breakpoint. */
  swbreak = false;
  hwbreak = false;
  stepFlags: number = StepFlag.ENABLE | StepFlag.NO_INTERRUPTS;
  /** vCPU of register and memory packets. */
  general = 0;
  /** vCPU of `c` and `s`. */
  resumed: ThreadChoice = 'any';
  readonly #files = new Map<VCpu, RegisterFile>();
  #architecture: string | undefined;

  constructor(target: GdbTarget) {
    this.target = target;
    this.breakpoints = new Breakpoints(target);
    target.physicalMemory = false;
    this.setStepFlags(this.stepFlags);
  }

  /** The vCPU of register and memory packets. */
  get cpu(): VCpu {
    return this.target.cpus[this.general]!;
  }

  /** Whether there is such a vCPU. */
  has(index: number): boolean {
    return index < this.target.cpus.length;
  }

  /** Registers of the chosen vCPU; undefined for one that cannot be debugged. All vCPUs show the first one's view. */
  get registers(): RegisterFile | undefined {
    const { cpu } = this;
    if (cpu.debug === undefined) return undefined;
    this.#architecture ??= this.target.cpus[0]!.debug?.view().architecture;
    let file = this.#files.get(cpu);
    if (file === undefined) {
      file = new RegisterFile(cpu.debug.view(this.#architecture), cpu.debug.littleEndian);
      this.#files.set(cpu, file);
    }
    return file;
  }

  /** The target description, chosen by the machine's state when gdb first asked. */
  get targetXml(): string | undefined {
    const { debug } = this.target.cpus[0]!;
    if (debug === undefined) return undefined;
    const view = debug.view(this.#architecture);
    this.#architecture = view.architecture;
    return targetXml(view);
  }

  setStepFlags(flags: number): void {
    this.stepFlags = flags;
    this.target.stepInterrupts = (flags & StepFlag.NO_INTERRUPTS) === 0;
  }

  /** Lets vCPUs run, by index. */
  resume(actions: ReadonlyMap<number, ResumeAction>): void {
    const { cpus } = this.target;
    const stepping = (this.stepFlags & StepFlag.ENABLE) !== 0;
    this.target.resume(
      new Map([...actions].map(([index, action]) => [cpus[index]!, stepping ? action : ('continue' as const)])),
    );
  }

  /** Actions that let every vCPU run on. */
  get all(): ReadonlyMap<number, ResumeAction> {
    return new Map(this.target.cpus.map((_, index) => [index, 'continue']));
  }
}
