import type { IrqLine, RtcClock, RtcTimer } from '@sterna/core';
import { loadTime, secondsToAlarm, storeTime } from './calendar.ts';
import {
  A_DIVIDER_RESET,
  A_UIP,
  B_24H,
  B_AIE,
  B_PIE,
  B_SET,
  B_SQWE,
  B_UIE,
  C_AF,
  C_IRQF,
  C_PF,
  C_SOURCES,
  C_UF,
  CENTURY,
  D_VRT,
  HOURS_ALARM,
  MINUTES_ALARM,
  PS2_CENTURY,
  REG_A,
  REG_B,
  REG_C,
  REG_D,
  SECONDS_ALARM,
  SHUTDOWN_STATUS,
  YEAR,
} from './registers.ts';

const NS = 1_000_000_000n;
const CLOCK_RATE = 32768n;
/** Length of the update-in-progress window before each second: 244 us. */
const UIP_NS = (8n * NS) / CLOCK_RATE;
/** A deadline further away than this was not missed: somebody has set the host's clock. */
const CLOCK_JUMP_NS = 60n * NS;
/** Shutdown status that a suspended guest leaves for its firmware. */
const S3_RESUME = 0xfe;

/**
 * An MC146818 real-time clock with 128 bytes of CMOS RAM.
 *
 * Nothing ticks: the time registers are computed from the RTC clock when they are
 * read, and the only timers are the ones whose flags or interrupts somebody waits for.
 *
 * @see MC146818 data sheet; QEMU hw/rtc/mc146818rtc.c, v10.0
 */
export class Mc146818Rtc {
  readonly cmosData = new Uint8Array(128);
  cmosIndex = 0;
  /** Guest time in seconds since 1970 at `lastUpdate`, modulo 2^64. */
  baseRtc = 0n;
  /** RTC clock, ns. */
  lastUpdate = 0n;
  /** Fraction of a second that guest time is ahead, ns. */
  offset = 0n;
  nextAlarmTime = 0n;
  nextPeriodicTime = 0n;
  /** Periodic interrupt in 32768 Hz clocks, 0 when off. */
  period = 0;
  /** Lost ticks to deliver again; always 0 with QEMU's default policy "discard". */
  irqCoalesced = 0;
  irqReinjectOnAckCount = 0;
  readonly periodicTimer: RtcTimer;
  readonly updateTimer: RtcTimer;

  readonly #irq: IrqLine;
  readonly #clock: RtcClock;
  readonly #baseYear: number;

  constructor(irq: IrqLine, clock: RtcClock, baseYear: number) {
    this.#irq = irq;
    this.#clock = clock;
    this.#baseYear = baseYear;
    this.periodicTimer = clock.timer('rtc-periodic', () => this.#periodicExpired());
    this.updateTimer = clock.timer('rtc-update', () => this.#updateExpired());
    this.cmosData[REG_A] = 0x26;
    this.cmosData[REG_B] = B_24H;
    this.cmosData[REG_D] = D_VRT;
    this.lastUpdate = clock.now();
    this.baseRtc = clock.dateNs() / NS;
    storeTime(this.cmosData, Number(this.baseRtc), baseYear);
  }

  /** Reset keeps the time and the RAM; it turns interrupts off. */
  reset(): void {
    if (this.cmosData[SHUTDOWN_STATUS] !== S3_RESUME) this.cmosData[SHUTDOWN_STATUS] = 0;
    this.cmosData[REG_B]! &= ~(B_PIE | B_AIE | B_SQWE);
    this.cmosData[REG_C] = 0;
    this.#updatePeriodic(this.#clock.now(), 0);
    this.#armUpdate();
  }

  /** Drives the interrupt to what register C shows. */
  updateIrq(): void {
    this.#irq.set((this.cmosData[REG_C]! & C_IRQF) !== 0);
  }

  /** Reads a byte of CMOS RAM without side effects. */
  getCmos(index: number): number {
    return this.cmosData[index & 0x7f]!;
  }

  /** Sets a byte of CMOS RAM for firmware. */
  setCmos(index: number, value: number): void {
    this.cmosData[index & 0x7f] = value;
  }

  // --- time ---

  get #running(): boolean {
    return (this.cmosData[REG_B]! & B_SET) === 0 && (this.cmosData[REG_A]! & 0x70) <= 0x20;
  }

  /** Guest time in ns since 1970, which may be before 1970. */
  #guestNs(): bigint {
    return BigInt.asIntN(64, this.baseRtc) * NS + this.#clock.now() - this.lastUpdate + this.offset;
  }

  /** Brings the time registers up to date, unless the guest is setting them. */
  refresh(): void {
    if ((this.cmosData[REG_B]! & B_SET) !== 0) return;
    const guestNs = this.#guestNs();
    storeTime(this.cmosData, Number((guestNs - fraction(guestNs)) / NS), this.#baseYear);
  }

  /** Takes the time registers as the time of now. */
  #setTime(): void {
    this.baseRtc = BigInt.asUintN(64, BigInt(loadTime(this.cmosData, this.#baseYear)));
    this.lastUpdate = this.#clock.now();
  }

  // --- update-ended and alarm ---

  #armUpdate(): void {
    const cmos = this.cmosData;
    if ((cmos[REG_A]! & A_DIVIDER_RESET) === A_DIVIDER_RESET) {
      this.updateTimer.cancel();
      return;
    }
    let deadline = this.#clock.now() + NS - fraction(this.#guestNs());
    this.refresh();
    this.nextAlarmTime = deadline + BigInt(secondsToAlarm(cmos) - 1) * NS;
    // With UF set already only the alarm can change anything; a latched UIP needs the next second to go away.
    if ((cmos[REG_A]! & A_UIP) === 0 && (cmos[REG_C]! & C_UF) !== 0) {
      if ((cmos[REG_B]! & B_SET) !== 0 || (cmos[REG_C]! & C_AF) !== 0) {
        this.updateTimer.cancel();
        return;
      }
      deadline = this.nextAlarmTime;
    }
    if (deadline !== this.updateTimer.expiryNs) this.updateTimer.arm(deadline);
  }

  #updateExpired(): void {
    const cmos = this.cmosData;
    this.refresh();
    cmos[REG_A]! &= ~A_UIP;
    const flags = this.#clock.now() >= this.nextAlarmTime ? C_UF | C_AF : C_UF;
    const fresh = flags & ~cmos[REG_C]!;
    cmos[REG_C]! |= flags;
    if ((fresh & cmos[REG_B]!) !== 0) cmos[REG_C]! |= C_IRQF;
    this.updateIrq();
    this.#armUpdate();
  }

  #updateInProgress(): boolean {
    if (!this.#running) return false;
    const deadline = this.updateTimer.expiryNs;
    if (deadline !== -1n && this.#clock.now() >= deadline - UIP_NS) {
      // Latched until the timer fires, so that a guest that waits for the edge sees it.
      this.cmosData[REG_A]! |= A_UIP;
      return true;
    }
    return fraction(this.#guestNs()) >= NS - UIP_NS;
  }

  // --- periodic interrupt ---

  /** Period in 32768 Hz clocks as registers A and B ask for it. */
  #periodClocks(): number {
    if ((this.cmosData[REG_B]! & B_PIE) === 0) return 0;
    const code = this.cmosData[REG_A]! & 0x0f;
    if (code === 0) return 0;
    // Rates 1 and 2 repeat 8 and 9 (data sheet, table 5).
    return 1 << ((code <= 2 ? code + 7 : code) - 1);
  }

  /** @param oldPeriod Clocks of the period that ran until now, when it is changed in mid-flight; else 0. */
  #updatePeriodic(now: bigint, oldPeriod: number): void {
    this.period = this.#periodClocks();
    if (this.period === 0) {
      this.irqCoalesced = 0;
      this.periodicTimer.cancel();
      return;
    }
    const clocks = (now * CLOCK_RATE) / NS;
    let elapsed = 0n;
    if (oldPeriod !== 0) {
      const last = (this.nextPeriodicTime * CLOCK_RATE) / NS - BigInt(oldPeriod);
      elapsed = clocks - last;
      if (elapsed < 0n) elapsed = 0n;
      if (elapsed > BigInt(this.period)) elapsed = BigInt(this.period);
    }
    this.nextPeriodicTime = ((clocks + BigInt(this.period) - elapsed) * NS) / CLOCK_RATE + 1n;
    this.periodicTimer.arm(this.nextPeriodicTime);
  }

  #periodicExpired(): void {
    this.#updatePeriodic(this.nextPeriodicTime, 0);
    this.cmosData[REG_C]! |= C_PF;
    if ((this.cmosData[REG_B]! & B_PIE) !== 0) this.cmosData[REG_C]! |= C_IRQF;
    this.updateIrq();
  }

  // --- ports ---

  read(offset: number): number {
    if ((offset & 1) === 0) return 0xff; // the index is write-only
    if (this.cmosIndex === PS2_CENTURY) this.cmosIndex = CENTURY;
    const index = this.cmosIndex;
    if (isTime(index)) {
      if (this.#running) this.refresh();
      return this.cmosData[index]!;
    }
    if (index === REG_A) return this.#updateInProgress() ? this.cmosData[REG_A]! | A_UIP : this.cmosData[REG_A]!;
    if (index !== REG_C) return this.cmosData[index]!;
    const flags = this.cmosData[REG_C]!;
    this.cmosData[REG_C] = 0;
    this.updateIrq();
    if ((flags & (C_UF | C_AF)) !== 0) this.#armUpdate();
    return flags;
  }

  write(offset: number, value: number): void {
    if ((offset & 1) === 0) {
      this.cmosIndex = value & 0x7f;
      return;
    }
    if (this.cmosIndex === PS2_CENTURY) this.cmosIndex = CENTURY;
    const index = this.cmosIndex;
    if (isTime(index)) {
      this.cmosData[index] = value;
      if (this.#running) {
        this.#setTime();
        this.#armUpdate();
      }
    } else if (index === SECONDS_ALARM || index === MINUTES_ALARM || index === HOURS_ALARM) {
      this.cmosData[index] = value;
      this.#armUpdate();
    } else if (index === REG_A) {
      this.#writeA(value);
    } else if (index === REG_B) {
      this.#writeB(value);
    } else if (index !== REG_C && index !== REG_D) {
      this.cmosData[index] = value;
    }
  }

  #writeA(value: number): void {
    const cmos = this.cmosData;
    const rateChanges = ((cmos[REG_A]! ^ value) & 0x0f) !== 0;
    const oldPeriod = this.#periodClocks();
    if ((value & A_DIVIDER_RESET) === A_DIVIDER_RESET) {
      if (this.#running) this.refresh();
      cmos[REG_A]! &= ~A_UIP;
    } else if ((cmos[REG_A]! & A_DIVIDER_RESET) === A_DIVIDER_RESET && (value & 0x70) <= 0x20) {
      // When the divider starts, the first update is half a second away (data sheet, "Divider control").
      if ((cmos[REG_B]! & B_SET) === 0) {
        this.offset = NS / 2n;
        this.#setTime();
      }
      cmos[REG_A]! &= ~A_UIP;
    }
    cmos[REG_A] = (value & ~A_UIP) | (cmos[REG_A]! & A_UIP);
    if (rateChanges) this.#updatePeriodic(this.#clock.now(), oldPeriod);
    this.#armUpdate();
  }

  #writeB(written: number): void {
    const cmos = this.cmosData;
    const enableChanges = ((cmos[REG_B]! ^ written) & B_PIE) !== 0;
    const oldPeriod = this.#periodClocks();
    let value = written;
    if ((value & B_SET) !== 0) {
      if (this.#running) this.refresh();
      cmos[REG_A]! &= ~A_UIP;
      value &= ~B_UIE;
    } else if ((cmos[REG_B]! & B_SET) !== 0 && (cmos[REG_A]! & 0x70) <= 0x20) {
      this.offset = fraction(this.#guestNs());
      this.#setTime();
    }
    // A flag that is set when its interrupt becomes enabled interrupts at once.
    if ((value & cmos[REG_C]! & C_SOURCES) !== 0) cmos[REG_C]! |= C_IRQF;
    else cmos[REG_C]! &= ~C_IRQF;
    cmos[REG_B] = value;
    this.updateIrq();
    if (enableChanges) this.#updatePeriodic(this.#clock.now(), oldPeriod);
    this.#armUpdate();
  }

  /** Checks and completes a loaded state. The timers have been armed with the deadlines of the stream. */
  restore(): void {
    if (this.cmosIndex > 0x7f) throw new RangeError(`mc146818rtc: cmos_index ${this.cmosIndex} exceeds 127`);
    this.period = this.#periodClocks();
    const now = this.#clock.now();
    const far = now < this.nextPeriodicTime - CLOCK_JUMP_NS || now > this.nextPeriodicTime + CLOCK_JUMP_NS;
    if (this.period === 0 || far) this.#updatePeriodic(now, 0);
    this.updateIrq();
  }
}

/** Nanoseconds since the last full second. */
function fraction(ns: bigint): bigint {
  const rest = ns % NS;
  return rest < 0n ? rest + NS : rest;
}

/** Registers 0, 2, 4, 6-9 and the century. */
function isTime(index: number): boolean {
  return index === CENTURY || (index <= YEAR && (index >= 6 || (index & 1) === 0));
}
