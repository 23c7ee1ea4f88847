import {
  LVT_COUNT,
  REG_CURRENT_COUNT,
  REG_DIVIDE,
  REG_EOI,
  REG_ESR,
  REG_ICR_LOW,
  REG_ID,
  REG_INITIAL_COUNT,
  REG_IRR,
  REG_ISR,
  REG_LDR,
  REG_LVT,
  REG_PPR,
  REG_SVR,
  REG_TPR,
  REG_VERSION,
} from './registers.ts';

/** Registers of x2APIC mode by their distance from MSR 0x800; the numbers are those of the memory page. */
export const X2APIC_REGISTERS = 0x100;
/** Write-only register of this mode alone: an interrupt to the CPU itself. */
const REG_SELF_IPI = 0x3f;
const TPR_BITS = 0xff;
const SVR_BITS = 0x1ff;

const VECTORS = REG_IRR + 8 - REG_ISR;
const isVectors = (register: number): boolean => register >= REG_ISR && register < REG_ISR + VECTORS;
const isLvt = (register: number): boolean => register >= REG_LVT && register < REG_LVT + LVT_COUNT;
const READ_ONLY: readonly number[] = [REG_ID, REG_VERSION, REG_PPR, REG_LDR, REG_CURRENT_COUNT];
const READ_WRITE: readonly number[] = [REG_TPR, REG_SVR, REG_ESR, REG_ICR_LOW, REG_INITIAL_COUNT, REG_DIVIDE];

/** What the mode's registers are made of. */
export interface X2apicState {
  /** The APIC is in x2APIC mode. */
  readonly x2apic: boolean;
  readonly id: number;
  readonly icr: Uint32Array;
  readRegister(index: number): number;
  writeRegister(index: number, value: number): void;
  setIrq(vector: number, level: boolean): void;
}

/** The logical id that x2APIC mode derives from the id: cluster of 16 in the high half, one bit of the low half. */
export function x2apicLogicalId(id: number): number {
  return (((id >>> 4) << 16) | (1 << (id & 15))) >>> 0;
}

/**
 * RDMSR of an APIC register: `out` gets the low and the high half.
 *
 * @returns false for #GP: not in x2APIC mode, or no such register to read (SDM vol. 3A table 11-6).
 */
export function readX2apic(apic: X2apicState, register: number, out: Uint32Array): boolean {
  if (!apic.x2apic) return false;
  const exists =
    isVectors(register) || isLvt(register) || READ_ONLY.includes(register) || READ_WRITE.includes(register);
  if (!exists) return false;
  out[1] = 0;
  if (register === REG_ID) out[0] = apic.id;
  else if (register === REG_LDR) out[0] = x2apicLogicalId(apic.id);
  else out[0] = apic.readRegister(register);
  if (register === REG_ICR_LOW) out[1] = apic.icr[1]!;
  return true;
}

/**
 * WRMSR of an APIC register.
 *
 * @returns false for #GP: not in x2APIC mode, no such register to write, or reserved bits set.
 */
export function writeX2apic(apic: X2apicState, register: number, low: number, high: number): boolean {
  if (!apic.x2apic) return false;
  if (register === REG_ICR_LOW) {
    apic.icr[1] = high;
    apic.writeRegister(REG_ICR_LOW, low);
    return true;
  }
  if (high !== 0) return false;
  switch (register) {
    case REG_EOI:
    case REG_ESR:
      if (low !== 0) return false;
      break;
    case REG_TPR:
      if ((low & ~TPR_BITS) !== 0) return false;
      break;
    case REG_SVR:
      if ((low & ~SVR_BITS) !== 0) return false;
      break;
    case REG_SELF_IPI:
      if ((low & ~0xff) !== 0) return false;
      apic.setIrq(low, false);
      return true;
    default:
      if (!isLvt(register) && !READ_WRITE.includes(register)) return false;
  }
  apic.writeRegister(register, low);
  return true;
}
