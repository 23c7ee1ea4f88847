import { defineDevice, Hooks, Logger, MigrationBlockers, prop, VirtualClock } from '@sterna/core';
import { VfioChip } from './chip.ts';
import { Faults } from './faults.ts';
import { LoadGenerator, loadGeneratorTable } from './load-generator.ts';
import { VfioMigration, vfioLive } from './migration.ts';
import { STUB_PAGE, StubMemory } from './stub-memory.ts';
import { VFIO_TAG } from './wire.ts';

/** What the guest reads at offset 0: 'VFIO'. */
const ID = 0x4f49_4656;
const ALL_ONES = 0xffff_ffff;
const NOT_VFIO = 'the section is not one of a VFIO device';

/** The device: chip, guest registers and migration side. */
class VfioStub {
  /** Page and byte offset that DATA shows. */
  page = 0;
  offset = 0;
  readonly chip: VfioChip;
  readonly migration: VfioMigration;
  readonly load: LoadGenerator;
  readonly memory: StubMemory;

  constructor(chip: VfioChip, migration: VfioMigration) {
    this.chip = chip;
    this.migration = migration;
    this.load = chip.load;
    this.memory = chip.memory;
  }

  get pages(): number {
    return this.memory.pages;
  }

  /** A register as the guest sees it: up to date, and all ones behind a device that is broken. */
  read(value: () => number): number {
    if (this.chip.state === 'ERROR') return ALL_ONES;
    this.load.catchUp();
    return value();
  }
  /** A write by the guest; a broken device takes none. */
  write(store: () => void): void {
    if (this.chip.state === 'ERROR') return;
    this.load.catchUp();
    store();
  }

  /** The word that DATA shows; the next access shows the next one. */
  nextWord(): number {
    const word = (this.page * STUB_PAGE + this.offset) / 4;
    this.offset += 4;
    if (this.offset === STUB_PAGE) {
      this.offset = 0;
      this.page = (this.page + 1) % this.pages;
    }
    return word;
  }

  reset(): void {
    this.page = this.offset = 0;
    // A migration that is under way goes on, with a device that has forgotten.
    if (this.chip.state === 'ERROR') this.chip.reset();
    else this.chip.clear();
  }

  /** Nothing here is trusted: every value becomes an index or a divisor. */
  checkLoaded(): void {
    this.chip.checkResumed();
    const { page, offset, pages, load } = this;
    if (page >= pages) throw new RangeError(`page ${page} is selected on a device with ${pages}`);
    if (offset >= STUB_PAGE || offset % 4 !== 0) throw new RangeError(`offset ${offset} is no word of a page`);
    if (load.workingSet < 1 || load.workingSet > pages)
      throw new RangeError(`a working set of ${load.workingSet} pages on a device with ${pages}`);
    if (load.anchorNs < 0 || load.anchorWrites < 0 || load.writes < load.anchorWrites)
      throw new RangeError(`${load.writes} writes since ${load.anchorWrites} at ${load.anchorNs} ns`);
  }
}

/** A device with VFIO's migration states, a load of its own and failures on demand. */
export const vfioStub = defineDevice({
  name: 'vfio-stub',
  bus: 'sysbus',
  description: 'A device that migrates like VFIO, for tests of live migration',
  properties: {
    size: prop.size({ default: 2 ** 20, help: 'Bytes of device memory, a multiple of 4096' }),
    'initial-size': prop.size({ default: 0, help: 'Bytes that the destination must have before the switchover' }),
    'stop-copy-size': prop.size({ default: 0, help: 'Bytes that only a stopped device gives out' }),
    'load-rate': prop.size({ default: 0, help: 'Bytes that the device dirties in a second of guest time' }),
    'load-size': prop.optionalSize({ help: 'Bytes that the load walks over (default: all)' }),
    'enable-migration': prop.onOffAuto({ default: 'auto', help: 'off: the device blocks migration' }),
    'pre-copy': prop.bool({ default: true, help: 'The device gives data out while it works' }),
    p2p: prop.bool({ default: true, help: 'The device has the states RUNNING_P2P and PRE_COPY_P2P' }),
    'x-pre-copy-dirty-page-tracking': prop.bool({
      default: true,
      help: 'off: the device cannot tell what it changes while it works',
    }),
    'x-migration-multifd-transfer': prop.onOffAuto({
      default: 'auto',
      help: "Whether a stopped device's data go over multifd channels",
    }),
    'fail-transition': prop.u32({ default: 0, help: 'The n-th change of the migration state fails' }),
    'fail-read': prop.u32({ default: 0, help: 'The n-th read of device data fails' }),
    'fail-write': prop.u32({ default: 0, help: 'The n-th write of device data fails' }),
    'fail-load': prop.u32({ default: 0, help: 'The n-th load of the configuration fails' }),
  },
  inject: [VirtualClock, Hooks, MigrationBlockers, Logger],
  create(properties, clock, hooks, blockers, logger) {
    const memory = new StubMemory(properties.size);
    const initialPages = pagesOf('initial-size', properties['initial-size'], memory.pages);
    const stopCopyPages = pagesOf('stop-copy-size', properties['stop-copy-size'], memory.pages - initialPages);
    const workingSet = pagesOf('load-size', properties['load-size'] ?? properties.size, memory.pages);
    if (workingSet === 0) throw new RangeError('load-size 0 is no page; give load-rate=0 for no load');
    const load = new LoadGenerator(memory, clock, Math.floor(properties['load-rate'] / 1024), workingSet);
    const chip = new VfioChip(memory, load, {
      features: { p2p: properties.p2p, preCopy: properties['pre-copy'] },
      initialPages,
      stopCopyPages,
      tracking: properties['x-pre-copy-dirty-page-tracking'],
      faults: new Faults({
        transition: properties['fail-transition'],
        read: properties['fail-read'],
        write: properties['fail-write'],
        load: properties['fail-load'],
      }),
    });
    const migration = new VfioMigration(chip, logger, properties['x-migration-multifd-transfer']);
    hooks.runState.tap('vfio-stub', (state, previous) => migration.runState(state, previous));
    if (properties['enable-migration'] === 'off')
      blockers.add('vfio-stub: migration is disabled by enable-migration=off');
    return new VfioStub(chip, migration);
  },
  registers: (dev) => ({
    ID: { offset: 0x00, read: () => dev.read(() => ID) },
    PAGES: { offset: 0x04, read: () => dev.read(() => dev.pages) },
    CHECKSUM: { offset: 0x08, read: () => dev.read(() => dev.memory.checksum) },
    RATE: {
      offset: 0x0c,
      read: () => dev.read(() => dev.load.rate),
      write: (value) => dev.write(() => dev.load.setRate(value)),
    },
    WORKING_SET: {
      offset: 0x10,
      read: () => dev.read(() => dev.load.workingSet),
      write: (value) => dev.write(() => (value >= 1 && value <= dev.pages ? dev.load.setWorkingSet(value) : undefined)),
    },
    WRITES_LOW: { offset: 0x14, read: () => dev.read(() => dev.load.writes >>> 0) },
    WRITES_HIGH: { offset: 0x18, read: () => dev.read(() => Math.floor(dev.load.writes / 2 ** 32)) },
    PAGE: {
      offset: 0x1c,
      read: () => dev.read(() => dev.page),
      write: (value) =>
        dev.write(() => {
          if (value < dev.pages) dev.page = value;
        }),
    },
    OFFSET: {
      offset: 0x20,
      read: () => dev.read(() => dev.offset),
      write: (value) =>
        dev.write(() => {
          dev.offset = value & (STUB_PAGE - 4);
        }),
    },
    DATA: {
      offset: 0x24,
      read: () => dev.read(() => dev.memory.read(dev.nextWord())),
      write: (value) => dev.write(() => dev.memory.write(dev.nextWord(), value)),
    },
    FILL: { offset: 0x28, write: (value) => dev.write(() => dev.memory.fill(value)) },
  }),
  reset: (dev) => dev.reset(),
  vmstate: {
    name: 'vfio',
    version: 1,
    fields: ({ u32, u64, struct }) => [
      u64({ name: 'tag', get: () => VFIO_TAG.configState, set: () => {} }, { equal: NOT_VFIO }),
      u32({ name: 'pages', get: (dev) => dev.pages, set: () => {} }, { equal: 'give both sides the same size=' }),
      u32('page'),
      u32('offset'),
      struct('load', loadGeneratorTable),
      u64({ name: 'end', get: () => VFIO_TAG.endOfState, set: () => {} }, { equal: NOT_VFIO }),
    ],
    postLoad: (dev) => dev.checkLoaded(),
  },
  live: vfioLive,
});

/** @throws RangeError when the bytes are not whole pages or more than `most` pages */
function pagesOf(name: string, bytes: number, most: number): number {
  const pages = bytes / STUB_PAGE;
  if (!Number.isInteger(pages) || pages > most)
    throw new RangeError(`${name} ${bytes} is not a multiple of ${STUB_PAGE} up to ${most * STUB_PAGE}`);
  return pages;
}
