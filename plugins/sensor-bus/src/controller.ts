import { defineDevice, Logger } from '@sterna/core';
import { TwoWireBus, type TwoWireTarget } from './bus.ts';

const COMMAND_START = 1 << 0;
const COMMAND_READ = 1 << 1;
const COMMAND_STOP = 1 << 2;
const STATUS_ACTIVE = 1 << 0;
const STATUS_ACKNOWLEDGED = 1 << 1;

/** The guest's end of the bus. A byte takes no time. */
class Controller {
  address = 0;
  active = false;
  reading = false;
  acknowledged = false;
  readonly #bus: TwoWireBus;

  constructor(bus: TwoWireBus) {
    this.#bus = bus;
  }

  /** The target that the transaction is with; looked up each time, since a target may be pulled out. */
  get target(): TwoWireTarget | undefined {
    return this.active ? this.#bus.target(this.address) : undefined;
  }

  command(value: number): void {
    if ((value & COMMAND_STOP) !== 0) this.stop();
    if ((value & COMMAND_START) === 0) return;
    this.active = true;
    this.reading = (value & COMMAND_READ) !== 0;
    this.acknowledged = this.target?.start(this.reading) ?? false;
  }

  stop(): void {
    this.target?.stop();
    this.active = this.acknowledged = this.reading = false;
  }

  readData(): number {
    // Nobody pulls the wire low: ones.
    return this.reading ? (this.target?.read() ?? 0xff) : 0xff;
  }

  writeData(byte: number): void {
    this.acknowledged = !this.reading && (this.target?.write(byte) ?? false);
  }
}

/** The controller of the two-wire bus. */
export const twoWireController = defineDevice({
  name: 'two-wire-controller',
  bus: 'sysbus',
  description: 'Controller of a two-wire bus',
  inject: [TwoWireBus, Logger],
  create: (_, bus, logger) => Object.assign(new Controller(bus), { logger }),
  registers: (dev) => ({
    ADDRESS: {
      offset: 0x0,
      read: () => dev.address,
      write(value) {
        if (dev.active) dev.logger.guestError('the address is written during a transaction');
        else dev.address = value & 0x7f;
      },
    },
    COMMAND: { offset: 0x4, write: (value) => dev.command(value) },
    STATUS: {
      offset: 0x8,
      read: () => (dev.active ? STATUS_ACTIVE : 0) | (dev.acknowledged ? STATUS_ACKNOWLEDGED : 0),
    },
    DATA: { offset: 0xc, read: () => dev.readData(), write: (value) => dev.writeData(value & 0xff) },
  }),
  reset(dev) {
    // Targets are reset by themselves; telling them of a stop here would depend on the order.
    dev.address = 0;
    dev.active = dev.acknowledged = dev.reading = false;
  },
  vmstate: {
    name: 'two-wire-controller',
    version: 1,
    fields: ({ u8, bool }) => [u8('address'), bool('active'), bool('reading'), bool('acknowledged')],
    postLoad(dev) {
      if (dev.address > 0x7f) throw new RangeError(`address 0x${dev.address.toString(16)} has more than 7 bits`);
    },
  },
});
