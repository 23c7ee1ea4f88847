/** Bits of the 16550A's registers, by their datasheet names (PC16550D data sheet, table II). */

/** Divisor latch access bit of LCR. */
export const LCR_DLAB = 0x80;
export const LCR_BREAK = 0x40;
export const LCR_PARITY = 0x08;
export const LCR_STOP = 0x04;

/** Interrupt enables. */
export const IER_RDI = 0x01;
export const IER_THRI = 0x02;
export const IER_RLSI = 0x04;
export const IER_MSI = 0x08;

/** Interrupt identification. */
export const IIR_NO_INT = 0x01;
export const IIR_MSI = 0x00;
export const IIR_THRI = 0x02;
export const IIR_RDI = 0x04;
export const IIR_RLSI = 0x06;
/** Character timeout: bytes wait in a FIFO below its trigger level. */
export const IIR_CTI = 0x0c;
/** The two bits that carry MSI, THRI, RDI and RLSI. */
export const IIR_ID = 0x06;
/** FIFOs enabled. */
export const IIR_FE = 0xc0;

/** FIFO control. */
export const FCR_FE = 0x01;
export const FCR_RFR = 0x02;
export const FCR_XFR = 0x04;
/** Bits that stay after a write: enable, DMA mode and trigger level. */
export const FCR_STICKY = 0xc9;

/** Modem control. */
export const MCR_DTR = 0x01;
export const MCR_RTS = 0x02;
export const MCR_OUT1 = 0x04;
export const MCR_OUT2 = 0x08;
export const MCR_LOOP = 0x10;

/** Line status. */
export const LSR_DR = 0x01;
export const LSR_OE = 0x02;
export const LSR_PE = 0x04;
export const LSR_FE = 0x08;
export const LSR_BI = 0x10;
export const LSR_THRE = 0x20;
export const LSR_TEMT = 0x40;
/** Conditions that raise the line status interrupt. */
export const LSR_INT_ANY = LSR_OE | LSR_PE | LSR_FE | LSR_BI;

/** Modem status. */
export const MSR_CTS = 0x10;
export const MSR_DSR = 0x20;
export const MSR_RI = 0x40;
export const MSR_DCD = 0x80;
export const MSR_ANY_DELTA = 0x0f;

/** Bytes in each FIFO. */
export const FIFO_LENGTH = 16;
/** Receive trigger levels by FCR bits 6-7. */
export const TRIGGER_LEVELS = [1, 4, 8, 14] as const;
