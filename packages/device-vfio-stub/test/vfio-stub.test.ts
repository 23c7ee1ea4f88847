import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PAGE_RECORD } from '../src/data-session.ts';
import plugin, { vfioStub } from '../src/index.ts';
import { VFIO_TAG } from '../src/wire.ts';
import { loadConfig, loadPart, migrateDevice, Rig, saveConfig, savePart } from './support/rig.ts';

const PAGE = 4096;
const PAGES = { size: 16 * PAGE, 'initial-size': 4 * PAGE, 'stop-copy-size': 2 * PAGE };

/** Marks of a section in their order, with sizes of data. */
function marks(bytes: Uint8Array): (string | number)[] {
  const names = new Map<bigint, string>(Object.entries(VFIO_TAG).map(([name, tag]) => [tag, name]));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found: (string | number)[] = [];
  for (let at = 0; at < view.byteLength; ) {
    const tag = view.getBigUint64(at);
    found.push(names.get(tag) ?? String(tag));
    at += 8;
    if (tag !== VFIO_TAG.dataState) continue;
    const size = Number(view.getBigUint64(at));
    found.push(size);
    at += 8 + size;
  }
  return found;
}

describe('the guest', () => {
  it('finds the device, writes its memory and sees the checksum follow', () => {
    const rig = new Rig(PAGES);
    expect([rig.read('ID'), rig.read('PAGES'), rig.read('CHECKSUM')]).toEqual([0x4f494656, 16, 0]);
    rig.write('PAGE', 3);
    rig.write('OFFSET', 4092);
    rig.write('DATA', 77);
    expect([rig.read('PAGE'), rig.read('OFFSET')]).toEqual([4, 0]);
    expect(rig.read('CHECKSUM')).toBe((77 * ((3 * 1024 + 1023) * 2 + 1)) >>> 0);
    rig.write('PAGE', 3);
    rig.write('OFFSET', 4092);
    expect(rig.read('DATA')).toBe(77);
  });

  it('cannot select what is not there', () => {
    const rig = new Rig(PAGES);
    rig.write('PAGE', 16);
    rig.write('OFFSET', 4097);
    rig.write('WORKING_SET', 0);
    rig.write('WORKING_SET', 17);
    expect([rig.read('PAGE'), rig.read('OFFSET'), rig.read('WORKING_SET')]).toEqual([0, 0, 16]);
  });

  it('starts and stops the load', () => {
    const rig = new Rig(PAGES);
    rig.write('WORKING_SET', 2);
    rig.write('RATE', 40);
    rig.pass(1000);
    expect([rig.read('WRITES_LOW'), rig.read('WRITES_HIGH')]).toEqual([10, 0]);
    rig.write('RATE', 0);
    rig.pass(1000);
    expect(rig.read('WRITES_LOW')).toBe(10);
  });

  it('reads all ones from a device in ERROR and gets it back by a reset', () => {
    const rig = new Rig(PAGES);
    rig.write('FILL', 5);
    rig.chip.fail();
    rig.write('FILL', 6);
    expect(rig.read('ID')).toBe(0xffff_ffff);
    rig.reset();
    expect([rig.read('ID'), rig.read('CHECKSUM')]).toEqual([0x4f494656, 0]);
  });

  it('finds a reset device as it was first, load included', () => {
    const rig = new Rig({ ...PAGES, 'load-rate': 4096 * 100 });
    const first = rig.visible;
    rig.write('FILL', 5);
    rig.write('RATE', 3);
    rig.write('WORKING_SET', 3);
    rig.pass(50);
    rig.reset();
    expect(rig.visible).toEqual(first);
    rig.reset();
    expect(rig.visible).toEqual(first);
  });
});

describe('properties', () => {
  it.each([
    [{ size: 100 }, 'size 100 is not a multiple of 4096'],
    [{ size: 0 }, 'size 0'],
    [{ size: 2 ** 31 }, 'size 2147483648'],
    [{ size: 8192, 'initial-size': 12288 }, 'initial-size 12288 is not a multiple of 4096 up to 8192'],
    [{ size: 8192, 'initial-size': 8192, 'stop-copy-size': 4096 }, 'stop-copy-size 4096 is not'],
    [{ 'load-size': 0 }, 'load-size 0 is no page'],
  ])('%j are refused', (settings, reason) => {
    expect(() => new Rig(settings)).toThrow(reason);
  });

  it('enable-migration=off blocks migration', () => {
    expect(new Rig({ 'enable-migration': 'off' }).blockers).toEqual([
      'vfio-stub: migration is disabled by enable-migration=off',
    ]);
    expect(new Rig({}).blockers).toEqual([]);
  });

  it('come with the plugin', () => {
    expect(plugin.devices).toEqual([vfioStub]);
  });
});

describe('the stream', () => {
  it("has QEMU's marks: setup, one read in each part, the initial data's end once, the rest, the configuration", async () => {
    const rig = new Rig(PAGES);
    expect(marks(await savePart(rig, 'saveSetup'))).toEqual(['setupState', 'endOfState']);
    const part = () => savePart(rig, 'saveLiveIterate', { budget: 3 * PAGE_RECORD });
    expect(marks(await part())).toEqual(['dataState', 12 + 2 * PAGE_RECORD, 'endOfState']);
    expect(marks(await part())).toEqual(['dataState', 3 * PAGE_RECORD, 'initDataSent']);
    for (let i = 0; i < 3; i++) expect(marks(await part())).toEqual(['dataState', 3 * PAGE_RECORD, 'endOfState']);
    expect(marks(await part())).toEqual(['endOfState']);
    rig.enter('finish-migrate');
    expect(marks(await savePart(rig, 'saveComplete'))).toEqual(['dataState', 2 * PAGE_RECORD + 8, 'endOfState']);
    const config = await saveConfig(rig);
    const view = new DataView(config.buffer, config.byteOffset, config.byteLength);
    expect([view.getBigUint64(0), view.getBigUint64(config.length - 8)]).toEqual([
      VFIO_TAG.configState,
      VFIO_TAG.endOfState,
    ]);
  });

  it('does not mark the end of the initial data without switchover-ack', async () => {
    const rig = new Rig(PAGES);
    await savePart(rig, 'saveSetup');
    for (let i = 0; i < 4; i++)
      expect(marks(await savePart(rig, 'saveLiveIterate', { switchoverAck: false }))).not.toContain('initDataSent');
  });

  it('marks it at once for a device without initial data', async () => {
    const rig = new Rig({ size: 4 * PAGE });
    await savePart(rig, 'saveSetup');
    expect(marks(await savePart(rig, 'saveLiveIterate'))).toContain('initDataSent');
  });

  it.each([
    ['a mark that VFIO does not have', [VFIO_TAG.endOfState + 9n], '0xffffffffef10000a is none of'],
    ['more data than a buffer', [VFIO_TAG.dataState, 2n ** 40n], '1099511627776 bytes of device data at once'],
    ['a setup mark later on', [VFIO_TAG.setupState], 'a setup mark in phase iterate'],
  ])('%s is refused', async (_, values, reason) => {
    const rig = new Rig(PAGES);
    rig.live.loadSetup!(rig.device);
    const bytes = Buffer.alloc(values.length * 8);
    for (const [i, value] of values.entries()) bytes.writeBigUInt64BE(value, i * 8);
    await expect(loadPart(rig, bytes, 'iterate')).rejects.toThrow(reason);
  });
});

describe('pending bytes', () => {
  it('are known roughly without asking the device and exactly after', async () => {
    const rig = new Rig(PAGES);
    await savePart(rig, 'saveSetup');
    const { statePendingEstimate: estimate, statePendingExact: exact } = rig.live;
    expect(estimate!(rig.device).mustPrecopy).toBe(12 + 14 * PAGE_RECORD);
    expect(exact!(rig.device).mustPrecopy).toBe(12 + 16 * PAGE_RECORD + 8);
    await savePart(rig, 'saveLiveIterate');
    expect(estimate!(rig.device).mustPrecopy).toBe(0);
    rig.write('PAGE', 0);
    rig.write('DATA', 1);
    expect(estimate!(rig.device).mustPrecopy).toBe(0);
    expect(exact!(rig.device).mustPrecopy).toBe(3 * PAGE_RECORD + 8);
    expect(estimate!(rig.device).mustPrecopy).toBe(PAGE_RECORD);
  });
});

describe('the device follows the machine', () => {
  it('stops with it, and goes on', () => {
    const rig = new Rig(PAGES);
    rig.enter('paused');
    expect(rig.chip.state).toBe('STOP');
    rig.enter('finish-migrate');
    expect(rig.chip.state).toBe('STOP');
    rig.enter('running');
    expect(rig.chip.state).toBe('RUNNING');
    rig.enter('suspended');
    expect(rig.chip.state).toBe('RUNNING');
  });

  it('keeps its session when the machine stops in the middle of pre-copy', async () => {
    const rig = new Rig(PAGES);
    await savePart(rig, 'saveSetup');
    rig.enter('paused');
    expect(rig.chip.state).toBe('STOP_COPY');
    expect(rig.live.isActiveIterate!(rig.device)).toBe(false);
    rig.enter('running');
    expect(rig.chip.state).toBe('RUNNING');
  });

  it('drops the session when the guest ends', async () => {
    const rig = new Rig(PAGES);
    await savePart(rig, 'saveSetup');
    rig.enter('shutdown');
    expect(rig.chip.state).toBe('STOP');
  });

  it.each([true, false])('with p2p %s and without pre-copy', async (p2p) => {
    const [source, destination] = [true, false].map(() => new Rig({ ...PAGES, 'pre-copy': false, p2p }));
    source!.write('FILL', 3);
    expect(source!.live.switchoverAckNeeded!(source!.device)).toBe(false);
    await migrateDevice(source!, destination!, 3);
    expect(destination!.visible).toEqual(source!.visible);
  });
});

describe('failures', () => {
  it('of the stop end the migration; the guest goes on with everything', async () => {
    // PRE_COPY, PRE_COPY_P2P, then STOP_COPY fails.
    const rig = new Rig({ ...PAGES, 'fail-transition': 3 });
    rig.write('FILL', 9);
    const before = rig.visible;
    await savePart(rig, 'saveSetup');
    rig.enter('finish-migrate');
    expect(rig.warnings).toEqual([expect.stringMatching(/PRE_COPY_P2P to STOP_COPY failed.*is in PRE_COPY_P2P/)]);
    await expect(savePart(rig, 'saveComplete')).rejects.toThrow('fail-transition');
    rig.enter('running');
    rig.live.saveCleanup!(rig.device);
    expect([rig.chip.state, rig.visible]).toEqual(['RUNNING', before]);
    await migrateDevice(rig, new Rig(PAGES), 1);
  });

  it('of the start reset the device, so that the guest does not wait for it', () => {
    const rig = new Rig({ ...PAGES, 'fail-transition': 3 });
    rig.enter('paused');
    rig.enter('running');
    expect(rig.warnings).toHaveLength(1);
    expect(rig.chip.state).toBe('RUNNING');
  });

  it('of a read end the migration; cleaning up brings the device back', async () => {
    const rig = new Rig({ ...PAGES, 'fail-read': 1 });
    await savePart(rig, 'saveSetup');
    await expect(savePart(rig, 'saveLiveIterate')).rejects.toThrow('fail-read');
    rig.live.saveCleanup!(rig.device);
    expect(rig.chip.state).toBe('RUNNING');
    await migrateDevice(rig, new Rig(PAGES), 1);
  });

  it('of a write or of the configuration end the load; a second one works', async () => {
    for (const fault of ['fail-write', 'fail-load'] as const) {
      const [source, destination] = [new Rig(PAGES), new Rig({ ...PAGES, [fault]: 1 })];
      source.write('FILL', 4);
      await expect(migrateDevice(source, destination, 2)).rejects.toThrow(fault);
      if (source.runState !== 'running') source.enter('running');
      source.live.saveCleanup!(source.device);
      await migrateDevice(source, destination, 2);
      expect(destination.visible).toEqual(source.visible);
    }
  });

  it('a device in ERROR refuses to migrate', () => {
    const rig = new Rig(PAGES);
    rig.chip.fail();
    expect(() => rig.live.savePrepare!(rig.device)).toThrow('in ERROR; only a reset');
  });

  it('a destination that starts without all data resets the device and says so', async () => {
    const rig = new Rig(PAGES);
    rig.runState = 'inmigrate';
    rig.live.loadSetup!(rig.device);
    rig.enter('running');
    expect(rig.warnings[0]).toContain('has not got all of its data');
  });
});

describe('a loaded configuration', () => {
  it.each([
    ['page', 12, 16, 'page 16 is selected'],
    ['offset', 16, 6, 'offset 6 is no word'],
    ['working set', 24, 17, 'a working set of 17 pages'],
    ['pages', 8, 15, /15.*16|16.*15/],
  ])('with a wrong %s is refused', async (_, at, value, reason) => {
    const [source, destination] = [new Rig(PAGES), new Rig(PAGES)];
    destination.live.loadSetup!(destination.device);
    source.enter('finish-migrate');
    await loadPart(destination, await savePart(source, 'saveComplete'), 'complete');
    const config = Buffer.from(await saveConfig(source));
    config.writeUInt32BE(value, at);
    await expect(loadConfig(destination, config)).rejects.toThrow(reason);
  });

  it('without the data is refused', async () => {
    const [source, destination] = [new Rig(PAGES), new Rig(PAGES)];
    destination.live.loadSetup!(destination.device);
    await expect(loadConfig(destination, await saveConfig(source))).rejects.toThrow('before the end of the data');
  });
});

describe('properties of every migration', () => {
  const settings = fc
    .record({
      pages: fc.integer({ min: 1, max: 24 }),
      initial: fc.nat(24),
      stopCopy: fc.nat(24),
      rate: fc.nat(4000),
      tracking: fc.boolean(),
      p2p: fc.boolean(),
      preCopy: fc.boolean(),
    })
    .map(({ pages, initial, stopCopy, rate, tracking, p2p, preCopy }) => ({
      size: pages * PAGE,
      'initial-size': Math.min(initial, pages) * PAGE,
      'stop-copy-size': Math.min(stopCopy, pages - Math.min(initial, pages)) * PAGE,
      'load-rate': rate * 1024,
      'x-pre-copy-dirty-page-tracking': tracking,
      p2p,
      'pre-copy': preCopy,
    }));

  it('the guest finds the same device, whatever the load does meanwhile, and afterwards the same again', async () => {
    await fc.assert(
      fc.asyncProperty(settings, fc.nat(12), fc.nat(30), fc.nat(), async (properties, rounds, ms, seed) => {
        const [stays, source, destination] = [new Rig(properties), new Rig(properties), new Rig(properties)];
        for (const rig of [stays, source]) {
          rig.write('FILL', seed);
          rig.write('PAGE', 0);
          rig.write('DATA', 12);
          rig.pass(3);
        }
        await migrateDevice(source, destination, rounds, ms);
        stays.pass(rounds * ms);
        for (const rig of [stays, destination]) rig.pass(50);
        expect(destination.visible).toEqual(stays.visible);
        expect(destination.chip.state).toBe('RUNNING');
      }),
      { numRuns: 150 },
    );
  });

  it('save, load, save gives the same bytes', async () => {
    await fc.assert(
      fc.asyncProperty(settings, fc.nat(), async (properties, seed) => {
        const [source, destination] = [new Rig(properties), new Rig(properties)];
        source.write('FILL', seed);
        source.pass(20);
        await migrateDevice(source, destination, 0);
        destination.enter('finish-migrate');
        const again = [await savePart(destination, 'saveComplete'), await saveConfig(destination)];
        const third = new Rig(properties);
        third.ns = destination.ns;
        third.live.loadSetup!(third.device);
        await loadPart(third, again[0]!, 'complete');
        await loadConfig(third, again[1]!);
        expect(Buffer.compare(await saveConfig(third), again[1]!)).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  it('a stream that is cut or changed anywhere is refused or loads a valid device, and never does anything else', async () => {
    const source = new Rig({ ...PAGES, size: 8 * PAGE });
    source.write('FILL', 1);
    source.enter('finish-migrate');
    const [data, config] = [await savePart(source, 'saveComplete'), await saveConfig(source)];
    await fc.assert(
      fc.asyncProperty(
        fc.nat(data.length + config.length - 1),
        fc.integer({ min: 0, max: 255 }),
        fc.boolean(),
        async (at, value, cut) => {
          const rig = new Rig({ ...PAGES, size: 8 * PAGE });
          const parts = [Buffer.from(data), Buffer.from(config)];
          const [part, offset] = at < data.length ? [0, at] : [1, at - data.length];
          if (cut) parts[part] = parts[part]!.subarray(0, offset);
          else parts[part]![offset] = value;
          rig.live.loadSetup!(rig.device);
          try {
            await loadPart(rig, parts[0]!, 'complete');
            await loadConfig(rig, parts[1]!);
          } catch (error) {
            expect(['RangeError', 'StreamError']).toContain((error as Error).name);
            return;
          }
          expect(rig.chip.memory.checksum).toBe(source.chip.memory.checksum);
        },
      ),
      { numRuns: 300 },
    );
  });
});
