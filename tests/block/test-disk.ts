import {
  BLOCK_DEVICE_PROPERTIES,
  BlockBackend,
  type BlockBackend as Disk,
  Dma,
  defineDevice,
  type Dma as GuestMemory,
  Hooks,
} from '@sterna/core';

const SECTOR = 512;
const COMMAND = { read: 1, write: 2, flush: 3 } as const;
const STATUS = { idle: 0, busy: 1, failed: 2 } as const;

/** A disk with registers instead of a queue: one sector at a time. */
class TestDisk {
  sector = 0;
  address = 0;
  command = 0;
  status: number = STATUS.idle;
  readonly #disk: Disk;
  readonly #memory: GuestMemory;
  #underWay = false;

  constructor(disk: Disk, memory: GuestMemory) {
    this.#disk = disk;
    this.#memory = memory;
  }

  start(command: number): void {
    if (this.status === STATUS.busy) return;
    this.command = command;
    this.status = STATUS.busy;
    this.resume();
  }

  /** Makes the request that the state tells of, if there is one that is not under way. */
  resume(): void {
    if (this.status !== STATUS.busy || this.#underWay) return;
    this.#underWay = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    try {
      await this.#request();
      this.status = STATUS.idle;
    } catch (error) {
      const action = this.#disk.errorAction(this.command === COMMAND.read ? 'read' : 'write', error);
      // A request that stops the machine stays, and travels, and is made again.
      if (action !== 'stop') this.status = action === 'ignore' ? STATUS.idle : STATUS.failed;
    } finally {
      this.#underWay = false;
    }
  }

  async #request(): Promise<void> {
    const offset = this.sector * SECTOR;
    const buffer = new Uint8Array(SECTOR);
    if (this.command === COMMAND.read) {
      await this.#disk.read(offset, buffer);
      this.#memory.write(this.address, buffer);
    } else if (this.command === COMMAND.write) {
      this.#memory.read(this.address, buffer);
      await this.#disk.write(offset, buffer);
    } else await this.#disk.flush();
  }
}

/** The device, for `-plugin` and `-device test-disk,drive=...,mmio=...`. */
const testDisk = defineDevice({
  name: 'test-disk',
  bus: 'sysbus',
  description: 'One sector at a time',
  properties: BLOCK_DEVICE_PROPERTIES,
  inject: [BlockBackend, Dma, Hooks],
  create(_properties, disk, memory, hooks) {
    const device = new TestDisk(disk, memory);
    hooks.runState.tap('test-disk', (state) => {
      if (state === 'running') device.resume();
    });
    return device;
  },
  registers: (device) => ({
    SECTOR: {
      offset: 0x0,
      read: () => device.sector,
      write: (value) => {
        device.sector = value;
      },
    },
    ADDRESS: {
      offset: 0x4,
      read: () => device.address,
      write: (value) => {
        device.address = value;
      },
    },
    COMMAND: { offset: 0x8, read: () => device.command, write: (value) => device.start(value) },
    STATUS: { offset: 0xc, read: () => device.status },
  }),
  reset(device) {
    device.sector = device.address = device.command = 0;
    device.status = STATUS.idle;
  },
  vmstate: {
    name: 'test-disk',
    version: 1,
    fields: ({ u32 }) => [u32('sector'), u32('address'), u32('command'), u32('status')],
  },
});

export default testDisk;
