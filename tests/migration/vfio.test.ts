import type { LiveHandlers } from '@sterna/core';
import { vfioStub } from '@sterna/device-vfio-stub';
import { describe, expect, it } from 'vitest';
import { type SimSide, VfioPair, type VfioPairOptions } from './vfio-pair.ts';

const MIB = 2 ** 20;
const MMIO = 0xd000_0000;
/** Registers that tell one device from another, by offset. */
const VISIBLE = [0x00, 0x04, 0x08, 0x0c, 0x10, 0x14, 0x18, 0x1c, 0x20];
const FILL = 0x28;

type Settings = Parameters<typeof vfioStub>[0];

function makePair(
  settings: Settings,
  options: Partial<VfioPairOptions> & { readonly destination?: Settings } = {},
): VfioPair {
  const pair = new VfioPair({
    devices: [vfioStub({ id: 'v0', ...settings })],
    destinationDevices: [vfioStub({ id: 'v0', ...settings, ...options.destination })],
    ramMiB: 2,
    linkBytesPerSecond: 32 * MIB,
    ...options,
  });
  pair.source.machine.bus.mmioWrite(MMIO + FILL, 4, 0x1234_5678);
  // Whatever is left fits: only what the test is about holds the switchover.
  pair.source.controller.setParameters({ 'downtime-limit': 5000 });
  return pair;
}

const status = (pair: VfioPair) => pair.source.controller.query().status;
const visible = (pair: VfioPair, side: SimSide) => VISIBLE.map((offset) => pair.read(side, MMIO + offset));
const statuses = ({ events }: SimSide) =>
  events.flatMap((event) => (event.event === 'MIGRATION' ? [event.data.status] : []));
const chipState = ({ machine }: SimSide) =>
  (machine.devices.find(({ id }) => id === 'v0')!.state as { chip: { state: string } }).chip.state;
function pending(pair: VfioPair): number {
  const { state, type } = pair.source.machine.devices.find(({ id }) => id === 'v0')!;
  return (type.descriptor.live as LiveHandlers<object>).statePendingEstimate!(state).mustPrecopy;
}

describe('switchover-ack', () => {
  const settings: Settings = { size: 16 * MIB, 'initial-size': 8 * MIB };

  it('holds the switchover until the initial data is loaded', async () => {
    const pair = makePair(settings);
    pair.enable('return-path', 'switchover-ack');
    const ended = pair.start();
    await pair.until(() => pending(pair) > 0, 1000);
    await pair.until(() => pending(pair) < 10 * MIB, 5000);
    // RAM is through long ago; 2 MiB of initial data are not.
    expect([status(pair), pair.source.machine.runState, statuses(pair.destination)]).toEqual([
      'active',
      'running',
      ['setup', 'active'],
    ]);
    const before = pending(pair);
    expect(before).toBeGreaterThan(8 * MIB);
    await pair.until(() => status(pair) === 'device', 5000);
    await pair.time.run(ended, 5000);
    expect(status(pair)).toBe('completed');
    expect(visible(pair, pair.destination)).toEqual(visible(pair, pair.source));
  });

  it('is not asked for without the capability: the device is sent while the guest stands still', async () => {
    const pair = makePair(settings);
    pair.enable('return-path');
    const ended = pair.start();
    await pair.until(() => status(pair) === 'device', 2000);
    expect(chipState(pair.source)).toBe('STOP_COPY');
    await pair.time.run(ended, 5000);
    expect(visible(pair, pair.destination)).toEqual(visible(pair, pair.source));
  });

  it('is there from the start with a device that has no initial data, or none of its own', async () => {
    for (const alone of [{ size: MIB, 'pre-copy': false }, { size: MIB }] satisfies Settings[]) {
      const pair = makePair(alone);
      pair.enable('return-path', 'switchover-ack');
      await pair.time.run(pair.start(), 2000);
      expect(status(pair)).toBe('completed');
    }
  });

  it('is not waited for when the guest is paused', async () => {
    const pair = makePair(settings);
    pair.enable('return-path', 'switchover-ack');
    pair.source.machine.stop('paused');
    await pair.time.run(pair.start(), 5000);
    expect(status(pair)).toBe('completed');
    expect(pair.destination.machine.runState).toBe('paused');
    expect(visible(pair, pair.destination)).toEqual(visible(pair, pair.source));
  });

  it('is not waited for any more when the guest is paused meanwhile', async () => {
    const pair = makePair(settings, { linkBytesPerSecond: 2 * MIB });
    pair.source.controller.setParameters({ 'downtime-limit': 60_000 });
    pair.enable('return-path', 'switchover-ack');
    const ended = pair.start();
    await pair.until(() => pending(pair) > 0 && pending(pair) < 15 * MIB, 5000);
    pair.source.machine.stop('paused');
    await pair.time.run(ended, 20_000);
    expect([status(pair), pair.destination.machine.runState]).toEqual(['completed', 'paused']);
    expect(visible(pair, pair.destination)).toEqual(visible(pair, pair.source));
  });

  it('can be cancelled while it is waited for, and a second migration gets it', async () => {
    const pair = makePair({ ...settings, 'load-rate': MIB });
    pair.enable('return-path', 'switchover-ack');
    const ended = pair.start();
    await pair.until(() => pending(pair) > 0 && pending(pair) < 12 * MIB, 5000);
    expect(chipState(pair.source)).toBe('PRE_COPY');
    pair.source.controller.cancel();
    await pair.time.run(ended, 5000);
    expect([status(pair), pair.source.machine.runState, chipState(pair.source)]).toEqual([
      'cancelled',
      'running',
      'RUNNING',
    ]);
    await pair.time.run(pair.start(), 5000);
    expect(status(pair)).toBe('completed');
    expect(visible(pair, pair.destination)).toEqual(visible(pair, pair.source));
  });

  it('waits for every device', async () => {
    const pair = makePair(settings, {
      devices: [
        vfioStub({ id: 'v0', size: 2 * MIB, 'initial-size': MIB }),
        vfioStub({ id: 'v1', size: 9 * MIB, 'initial-size': 8 * MIB }),
      ],
      destinationDevices: [
        vfioStub({ id: 'v0', size: 2 * MIB, 'initial-size': MIB }),
        vfioStub({ id: 'v1', size: 9 * MIB, 'initial-size': 8 * MIB }),
      ],
    });
    pair.enable('return-path', 'switchover-ack');
    const ended = pair.start();
    await pair.until(() => pending(pair) > 0, 1000);
    await pair.until(() => pending(pair) === 0, 5000);
    expect(status(pair)).toBe('active');
    await pair.time.run(ended, 5000);
    expect(status(pair)).toBe('completed');
  });
});

describe('a device under load', () => {
  it('arrives as it was and goes on at its rate', async () => {
    const settings: Settings = { size: 4 * MIB, 'initial-size': MIB, 'stop-copy-size': MIB, 'load-rate': 3 * MIB };
    const pair = makePair(settings);
    await pair.pass(500);
    await pair.time.run(pair.start(), 5000);
    expect(status(pair)).toBe('completed');
    expect(visible(pair, pair.destination)).toEqual(visible(pair, pair.source));
    const writes = pair.read(pair.destination, MMIO + 0x14);
    const ns = pair.destination.machine.clock.now();
    await pair.pass(1000);
    const passed = (pair.destination.machine.clock.now() - ns) / 1e9;
    const since = pair.read(pair.destination, MMIO + 0x14) - writes;
    expect(passed).toBeGreaterThan(0.5);
    expect(since).toBeGreaterThan(768 * passed - 20);
    expect(since).toBeLessThan(768 * passed + 20);
  });

  it.each([
    { p2p: false },
    { 'pre-copy': false },
    { 'x-pre-copy-dirty-page-tracking': false },
    { p2p: false, 'pre-copy': false },
  ] satisfies Settings[])('and %j', async (missing) => {
    const pair = makePair({ size: 2 * MIB, 'initial-size': MIB, 'load-rate': MIB, ...missing });
    await pair.pass(100);
    await pair.time.run(pair.start(), 5000);
    expect(status(pair)).toBe('completed');
    expect(pair.read(pair.destination, MMIO + 0x14)).toBeGreaterThan(20);
    expect(visible(pair, pair.destination)).toEqual(visible(pair, pair.source));
  });
});

describe('a failure on demand', () => {
  const settings: Settings = { size: 4 * MIB, 'initial-size': MIB, 'stop-copy-size': MIB, 'load-rate': MIB };

  /** Migrates until it works; @returns how many attempts failed. Between them the guest runs here with its device. */
  async function attempts(pair: VfioPair): Promise<number> {
    const before = pair.read(pair.source, MMIO + 0x04);
    for (let failed = 0; ; failed++) {
      await pair.time.run(pair.start(), 10_000);
      if (status(pair) === 'completed') return failed;
      expect([status(pair), pair.source.machine.runState, pair.destination.machine.runState]).toEqual([
        'failed',
        'running',
        'inmigrate',
      ]);
      expect(chipState(pair.source)).toBe('RUNNING');
      expect(pair.read(pair.source, MMIO + 0x04)).toBe(before);
      expect(pair.source.controller.query()['error-desc']).toBeTruthy();
      expect(failed).toBe(0);
    }
  }

  it.each([1, 2, 3])(
    'of transition %i of the source leaves the guest running; the next migration succeeds',
    async (n) => {
      const pair = makePair({ ...settings, 'fail-transition': n }, { destination: { 'fail-transition': 0 } });
      expect(await attempts(pair)).toBe(1);
    },
  );

  it.each([1, 2, 3, 4, 5, 6])('of read %i leaves the guest running; the next migration succeeds', async (n) => {
    const pair = makePair({ ...settings, 'fail-read': n }, { destination: { 'fail-read': 0 } });
    expect(await attempts(pair)).toBe(1);
  });

  it.each([
    ['fail-write', 1],
    ['fail-write', 3],
    ['fail-load', 1],
    ['fail-transition', 1],
    ['fail-transition', 3],
  ] as const)('of the destination, %s=%i, comes before the point of no return', async (fault, n) => {
    const pair = makePair(settings, { destination: { [fault]: n } });
    pair.enable('return-path');
    expect(await attempts(pair)).toBe(1);
    expect(pair.destination.reports.join('\n')).toContain(fault);
  });
});

describe('a refusal', () => {
  it('by enable-migration=off is told beforehand', () => {
    const pair = makePair({ 'enable-migration': 'off' });
    expect(() => pair.source.controller.checkMigrate()).toThrow('vfio-stub: migration is disabled');
    expect(pair.source.controller.query()['blocked-reasons']).toEqual([
      'vfio-stub: migration is disabled by enable-migration=off',
    ]);
  });

  it('of a device in ERROR comes before anything is sent', async () => {
    const pair = makePair({});
    (pair.source.machine.devices.find(({ id }) => id === 'v0')!.state as { chip: { fail(): void } }).chip.fail();
    await pair.time.run(pair.start(), 5000).catch(() => {});
    expect(pair.source.controller.query()['error-desc']).toContain('in ERROR; only a reset brings it back');
    expect(pair.source.machine.runState).toBe('running');
  });

  it('of a device of another size names both sizes and what to do', async () => {
    const pair = makePair({ size: 2 * MIB }, { destination: { size: MIB } });
    await pair.time.run(pair.start(), 5000);
    expect(pair.destination.controller.query()['error-desc']).toMatch(
      /section 'vfio' instance 0.*has 512 pages, this one 256; give both sides the same size=/,
    );
    expect(pair.source.machine.runState).toBe('running');
  });
});
