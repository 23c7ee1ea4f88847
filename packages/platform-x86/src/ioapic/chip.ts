import { Irq, type IrqLine, type Timer, type VirtualClock } from '@sterna/core';
import type { ApicBus, EoiListener } from '../apic/apic-bus.ts';
import { DM_EXTINT } from '../apic/registers.ts';
import type { LoadGate } from '../support/load-gate.ts';

/** Inputs of one IO-APIC. */
export const IOAPIC_PINS = 24;

/** Window registers (82093AA data sheet, §3.1; EOI register of version 0x20). */
const IOREGSEL = 0x00;
const IOWIN = 0x10;
const EOI = 0x40;
/** Indirect registers. */
const REG_ID = 0x00;
const REG_VER = 0x01;
const REG_ARB = 0x02;
const REG_REDTBL = 0x10;

/** Redirection entry bits in the low word. */
const DELIVERY_STATUS = 1 << 12;
const REMOTE_IRR = 1 << 14;
const LEVEL = 1 << 15;
const MASKED = 1 << 16;
const READ_ONLY = DELIVERY_STATUS | REMOTE_IRR;

/** A level interrupt that comes back this often without pause is delivered late, so that the guest gets on. */
const STORM_COUNT = 10_000;
const STORM_DELAY_NS = 10_000_000;

/**
 * An 82093AA with 24 pins, or the later version 0x20 with an EOI register.
 *
 * @see 82093AA data sheet; QEMU hw/intc/ioapic.c, v10.0
 */
export class IoApic implements EoiListener {
  id = 0;
  ioregsel = 0;
  /** Pins with a pending request. */
  irr = 0;
  readonly ioredtbl = new BigUint64Array(IOAPIC_PINS);

  readonly #version: number;
  readonly #bus: ApicBus;
  readonly #clock: VirtualClock;
  /** The table as 32-bit words, low word first. */
  readonly #words = new Uint32Array(this.ioredtbl.buffer);
  readonly #inputs: readonly Irq[];
  readonly #storm = new Uint32Array(IOAPIC_PINS);
  readonly #delayed: Timer;

  constructor(version: number, bus: ApicBus, clock: VirtualClock, gate: LoadGate) {
    this.#version = version;
    this.#bus = bus;
    this.#clock = clock;
    this.#delayed = clock.timer('ioapic', () => this.#service());
    this.#inputs = Array.from(
      { length: IOAPIC_PINS },
      (_, pin) =>
        new Irq((level) => {
          if (!gate.loading) this.setInput(pin, level);
        }),
    );
  }

  /** The wire to a pin (0-23). On a PC, interrupt 0 goes to pin 2. */
  input(pin: number): IrqLine {
    return this.#inputs[pin]!;
  }

  reset(): void {
    this.id = 0;
    this.ioregsel = 0;
    this.irr = 0;
    this.ioredtbl.fill(BigInt(MASKED));
    this.#storm.fill(0);
    this.#delayed.cancel();
  }

  /** Takes part in the machine's interrupt messages. */
  attach(): void {
    this.#bus.attachEoiListener(this);
  }

  detach(): void {
    this.#bus.detachEoiListener(this);
    this.#delayed.cancel();
  }

  /** A pin has changed. */
  setInput(pin: number, level: boolean): void {
    const mask = 1 << pin;
    const entry = this.#words[2 * pin]!;
    if ((entry & LEVEL) !== 0) {
      if (!level) {
        this.irr &= ~mask;
        return;
      }
      this.irr |= mask;
      if ((entry & REMOTE_IRR) === 0) this.#service();
    } else if (level && (entry & MASKED) === 0) {
      // An edge on a masked pin is lost (data sheet §3.2.4, interrupt mask).
      this.irr |= mask;
      this.#service();
    }
  }

  /** Sends what is pending and not masked. */
  #service(): void {
    for (let pin = 0; pin < IOAPIC_PINS; pin++) {
      const mask = 1 << pin;
      if ((this.irr & mask) === 0) continue;
      const entry = this.#words[2 * pin]!;
      if ((entry & MASKED) !== 0) continue;
      if ((entry & LEVEL) !== 0) {
        // Until the EOI a level interrupt is with the CPU.
        if ((entry & REMOTE_IRR) !== 0) continue;
        this.#words[2 * pin] = entry | REMOTE_IRR;
      } else {
        this.irr &= ~mask;
      }
      this.#send(entry, this.#words[2 * pin + 1]!);
    }
  }

  #send(low: number, high: number): void {
    const mode = (low >> 8) & 7;
    const vector = mode === DM_EXTINT ? this.#bus.readPicIrq() : low & 0xff;
    if (vector < 0) return;
    this.#bus.deliver(high >>> 24, (low & 0x800) !== 0, mode, vector, (low & LEVEL) !== 0);
  }

  eoi(vector: number): void {
    for (let pin = 0; pin < IOAPIC_PINS; pin++) {
      const entry = this.#words[2 * pin]!;
      if ((entry & 0xff) !== vector || (entry & LEVEL) === 0 || (entry & REMOTE_IRR) === 0) continue;
      this.#words[2 * pin] = entry & ~REMOTE_IRR;
      if ((entry & MASKED) !== 0 || (this.irr & (1 << pin)) === 0) {
        this.#storm[pin] = 0;
        continue;
      }
      this.#storm[pin]!++;
      if (this.#storm[pin]! >= STORM_COUNT) {
        this.#storm[pin] = 0;
        this.#delayed.arm(this.#clock.now() + STORM_DELAY_NS);
      } else {
        this.#service();
      }
    }
  }

  read(offset: number, size: number): number {
    switch (offset & 0xff) {
      case IOREGSEL:
        return this.ioregsel;
      case IOWIN:
        return size === 4 ? this.#readSelected() : 0;
      default:
        return 0;
    }
  }

  #readSelected(): number {
    switch (this.ioregsel) {
      case REG_ID:
      case REG_ARB:
        return (this.id << 24) >>> 0;
      case REG_VER:
        return this.#version | ((IOAPIC_PINS - 1) << 16);
      default: {
        const word = this.ioregsel - REG_REDTBL;
        return word >= 0 && word < 2 * IOAPIC_PINS ? this.#words[word]! : 0;
      }
    }
  }

  write(offset: number, value: number, size: number): void {
    switch (offset & 0xff) {
      case IOREGSEL:
        this.ioregsel = value & 0xff;
        break;
      case IOWIN:
        if (size === 4) this.#writeSelected(value);
        break;
      case EOI:
        if (size === 4 && this.#version === 0x20) this.#bus.broadcastEoi(value & 0xff);
        break;
      default:
        break;
    }
  }

  #writeSelected(value: number): void {
    if (this.ioregsel === REG_ID) {
      this.id = (value >>> 24) & 0xf;
      return;
    }
    const word = this.ioregsel - REG_REDTBL;
    if (word < 0 || word >= 2 * IOAPIC_PINS) return;
    if ((word & 1) !== 0) {
      this.#words[word] = value;
    } else {
      const kept = this.#words[word]! & READ_ONLY;
      // Edge triggering drops remote IRR: Linux ends a level interrupt by switching an entry to edge and back.
      this.#words[word] = (value & ~READ_ONLY) | ((value & LEVEL) !== 0 ? kept : kept & ~REMOTE_IRR);
    }
    this.#storm[word >> 1] = 0;
    this.#service();
  }
}
