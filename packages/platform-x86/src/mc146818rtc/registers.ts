/** CMOS indices and register bits (MC146818 data sheet; century and memory size bytes by PC convention). */

export const SECONDS = 0x00;
export const SECONDS_ALARM = 0x01;
export const MINUTES = 0x02;
export const MINUTES_ALARM = 0x03;
export const HOURS = 0x04;
export const HOURS_ALARM = 0x05;
export const DAY_OF_WEEK = 0x06;
export const DAY_OF_MONTH = 0x07;
export const MONTH = 0x08;
export const YEAR = 0x09;
export const REG_A = 0x0a;
export const REG_B = 0x0b;
export const REG_C = 0x0c;
export const REG_D = 0x0d;
export const SHUTDOWN_STATUS = 0x0f;
export const CENTURY = 0x32;
/** Where IBM's PS/2 had the century. */
export const PS2_CENTURY = 0x37;

/** Update in progress. */
export const A_UIP = 0x80;
/** The divider bits that hold the clock in reset. */
export const A_DIVIDER_RESET = 0x60;

export const B_SET = 0x80;
export const B_PIE = 0x40;
export const B_AIE = 0x20;
export const B_UIE = 0x10;
export const B_SQWE = 0x08;
/** Binary instead of BCD. */
export const B_DM = 0x04;
export const B_24H = 0x02;

export const C_IRQF = 0x80;
export const C_PF = 0x40;
export const C_AF = 0x20;
export const C_UF = 0x10;
export const C_SOURCES = C_PF | C_AF | C_UF;

/** Valid RAM and time. */
export const D_VRT = 0x80;
/** "The top two bits set" in an alarm register match everything. */
export const ALARM_ANY = 0xc0;
