import { type Service, service } from '@sterna/core';

/**
 * What a local APIC needs of its CPU. All calls only leave a request that the
 * CPU takes up at its next instruction boundary: none may call back into the APIC.
 */
export interface CpuPort {
  /**
   * The CPU's interrupt request: an interrupt is deliverable, or the 8259 asks through LINT0.
   * A pure function of APIC and PIC state; told on every change and after a load.
   */
  setInterruptLine(level: boolean): void;
  nmi(): void;
  smi(): void;
  /** INIT: the CPU resets itself and then calls {@link LocalApicPort.initReset}. */
  init(): void;
  /** Start-up IPI: the CPU calls {@link LocalApicPort.takeSipi} and starts if that answers a vector. */
  sipi(vector: number): void;
}
/** The CPU that a local APIC belongs to. */
export const CpuPort: Service<CpuPort> = service('x86/CpuPort');

/** What a CPU needs of its local APIC. */
export interface LocalApicPort {
  /** APIC base MSR bit 11; CPUID.1:EDX.APIC follows it. */
  readonly enabled: boolean;
  /** An application processor after reset or INIT: halted until its SIPI. */
  readonly waitForSipi: boolean;
  /** The level that {@link CpuPort.setInterruptLine} was told last. */
  hasInterrupt(): boolean;
  /** The acknowledge cycle: vector 0-255 from the 8259 or the APIC, or -1 when the request has gone. */
  acknowledgeInterrupt(): number;
  /** CR8: task priority class 0-15. */
  getTpr(): number;
  setTpr(priorityClass: number): void;
  /** MSR 0x1b. */
  getBase(): number;
  /** Writes MSR 0x1b; false asks for #GP (reserved bits, forbidden change of mode, no x2APIC in the CPU model). */
  setBase(value: number, x2apicExists?: boolean): boolean;
  /** RDMSR of 0x800 + `register` into the two halves of `out`; false asks for #GP. */
  readX2apic(register: number, out: Uint32Array): boolean;
  /** WRMSR of 0x800 + `register`; false asks for #GP. */
  writeX2apic(register: number, low: number, high: number): boolean;
  /** TSC deadline in virtual ns from now, undefined to disarm; without effect unless the timer is in that mode. */
  armDeadline(delay: number | undefined): void;
  /** The TSC deadline has not come yet. */
  readonly deadlinePending: boolean;
  /** The CPU has taken INIT: registers to their state after INIT (SDM vol. 3A §11.4.7.3). */
  initReset(): void;
  /** Start-up vector if the CPU waits for one, else -1. Ends the wait. */
  takeSipi(): number;
}
