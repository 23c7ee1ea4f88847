/** Local APIC register numbers (offset >> 4) and bits: SDM vol. 3A §11.4, table 11-1. */

export const REG_ID = 0x02;
export const REG_VERSION = 0x03;
export const REG_TPR = 0x08;
export const REG_APR = 0x09;
export const REG_PPR = 0x0a;
export const REG_EOI = 0x0b;
export const REG_LDR = 0x0d;
export const REG_DFR = 0x0e;
export const REG_SVR = 0x0f;
export const REG_ISR = 0x10;
export const REG_TMR = 0x18;
export const REG_IRR = 0x20;
export const REG_ESR = 0x28;
export const REG_ICR_LOW = 0x30;
export const REG_ICR_HIGH = 0x31;
/** First of six: timer, thermal, performance, LINT0, LINT1, error. */
export const REG_LVT = 0x32;
export const REG_INITIAL_COUNT = 0x38;
export const REG_CURRENT_COUNT = 0x39;
export const REG_DIVIDE = 0x3e;

export const LVT_COUNT = 6;
export const LVT_TIMER = 0;
export const LVT_LINT0 = 3;
export const LVT_LINT1 = 4;

export const LVT_PERIODIC = 1 << 17;
/** Timer mode: the TSC deadline MSR arms it. Excludes periodic mode. */
export const LVT_DEADLINE = 1 << 18;
export const LVT_MASKED = 1 << 16;
export const LVT_LEVEL = 1 << 15;

/** Delivery modes, bits 8-10 of LVT, ICR, redirection entries and MSI data. */
export const DM_FIXED = 0;
export const DM_LOWEST = 1;
export const DM_SMI = 2;
export const DM_NMI = 4;
export const DM_INIT = 5;
export const DM_SIPI = 6;
export const DM_EXTINT = 7;

/** Spurious vector register bit 8: APIC software enable. */
export const SVR_ENABLE = 1 << 8;
/** ESR bit 7: illegal register address. */
export const ESR_ILLEGAL_ADDRESS = 1 << 7;

/** MSR 0x1b. */
export const BASE_BSP = 1 << 8;
export const BASE_EXTD = 1 << 10;
export const BASE_ENABLE = 1 << 11;
export const APIC_DEFAULT_ADDRESS = 0xfee0_0000;
/** Physical address bits of the CPU models here. */
export const PHYS_LIMIT = 2 ** 40;

/** Destination formats, DFR bits 28-31. */
export const DFR_FLAT = 0xf;
export const DFR_CLUSTER = 0x0;
