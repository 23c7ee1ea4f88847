import { defineDevice, prop, type Timer, VirtualClock } from '@sterna/core';
import { TwoWireBus, type TwoWireTarget } from './bus.ts';

const NS_PER_MS = 1_000_000;
/** Registers: the temperature, and how often it is measured. Both have two bytes, the high one first. */
const TEMPERATURE = 0;
const PERIOD_MS = 1;
const REGISTERS = 2;
const DEFAULT_PERIOD_MS = 100;
/** One degree in the temperature register, a signed number. */
const UNITS_PER_DEGREE = 256;

/** What the sensor is in: air that gets warmer and colder. */
interface Air {
  /** Thousandths of a degree. */
  readonly mean: number;
  readonly swing: number;
  readonly dayMs: number;
}

/** Temperature of the air at a guest time, in register units: up for half a day, down for the other half. */
function temperatureAt(ns: number, { mean, swing, dayMs }: Air): number {
  const phase = (ns / NS_PER_MS / dayMs) % 1;
  const slope = phase < 0.5 ? 4 * phase - 1 : 3 - 4 * phase;
  const units = Math.round(((mean + swing * slope) * UNITS_PER_DEGREE) / 1000);
  return Math.max(-0x8000, Math.min(0x7fff, units)) & 0xffff;
}

class TernSensor implements TwoWireTarget {
  readonly address: number;
  pointer = 0;
  /** Bytes of the transaction so far. */
  position = 0;
  temperature = 0;
  periodMs = DEFAULT_PERIOD_MS;
  /** High byte of a register that is being written. */
  highByte = 0;
  readonly measurement: Timer;
  readonly #clock: VirtualClock;
  readonly #air: Air;
  connection: Disposable | undefined;

  constructor(address: number, air: Air, clock: VirtualClock) {
    this.address = address;
    this.#clock = clock;
    this.#air = air;
    this.measurement = clock.timer('measurement', () => this.measure());
  }

  measure(): void {
    const now = this.#clock.now();
    this.temperature = temperatureAt(now, this.#air);
    this.measurement.arm(now + this.periodMs * NS_PER_MS);
  }

  start(): boolean {
    this.position = 0;
    return true;
  }

  /** The first byte of a write chooses the register, the next two fill it. */
  write(byte: number): boolean {
    const position = this.position;
    if (position < 3) this.position++;
    if (position === 0) {
      if (byte >= REGISTERS) return false;
      this.pointer = byte;
    } else if (position === 1) this.highByte = byte;
    else if (position === 2 && this.pointer === PERIOD_MS) this.setPeriod((this.highByte << 8) | byte);
    else return false;
    return true;
  }

  setPeriod(ms: number): void {
    this.periodMs = Math.max(1, ms);
    this.measure();
  }

  read(): number {
    const value = this.pointer === TEMPERATURE ? this.temperature : this.periodMs;
    const byte = (this.position & 1) === 0 ? value >>> 8 : value & 0xff;
    this.position ^= 1;
    return byte;
  }

  stop(): void {
    this.position = 0;
  }
}

/** A thermometer on the two-wire bus. */
export const ternSensor = defineDevice({
  name: 'tern-sensor',
  bus: 'two-wire',
  description: 'Thermometer on a two-wire bus',
  properties: {
    address: prop.u8({ default: 0x48, help: 'Address on the bus, 7 bits' }),
    'mean-mc': prop.u32({ default: 12_000, help: 'Mean temperature in thousandths of a degree Celsius' }),
    'swing-mc': prop.u32({ default: 8_000, help: 'How much warmer and colder it gets' }),
    'day-ms': prop.u32({ default: 60_000, help: 'Time from one coldest moment to the next in ms of guest time' }),
  },
  inject: [TwoWireBus, VirtualClock],
  create(properties, bus, clock) {
    const { address } = properties;
    if (address > 0x7f) throw new RangeError(`address 0x${address.toString(16)} has more than 7 bits`);
    if (properties['day-ms'] === 0) throw new RangeError('day-ms is 0');
    const air = { mean: properties['mean-mc'], swing: properties['swing-mc'], dayMs: properties['day-ms'] };
    return Object.assign(new TernSensor(address, air, clock), { bus });
  },
  // A plugin's own bus is not the framework's: what is connected here is disconnected below.
  realize(dev) {
    dev.connection = dev.bus.connect(dev);
  },
  unrealize: (dev) => dev.connection?.[Symbol.dispose](),
  reset(dev) {
    dev.pointer = dev.position = dev.highByte = 0;
    dev.periodMs = DEFAULT_PERIOD_MS;
    dev.measure();
  },
  vmstate: {
    name: 'tern-sensor',
    version: 1,
    fields: ({ u8, u16, timer }) => [
      u8('pointer'),
      u8('position'),
      u8('highByte'),
      u16('temperature'),
      u16('periodMs'),
      timer('measurement'),
    ],
    postLoad(dev) {
      if (dev.pointer >= REGISTERS) throw new RangeError(`register ${dev.pointer} of ${REGISTERS}`);
      if (dev.position > 3) throw new RangeError(`byte ${dev.position} of a transaction of 3`);
      if (dev.periodMs === 0) throw new RangeError('a period of 0 ms');
    },
  },
});
