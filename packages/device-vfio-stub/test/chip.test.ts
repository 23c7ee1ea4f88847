import { describe, expect, it } from 'vitest';
import { VfioChip } from '../src/chip.ts';
import { PAGE_RECORD, ResumingSession } from '../src/data-session.ts';
import { Faults } from '../src/faults.ts';
import { LoadGenerator } from '../src/load-generator.ts';
import { STUB_PAGE, StubMemory } from '../src/stub-memory.ts';

const NO_FAULTS = { transition: 0, read: 0, write: 0, load: 0 };
const [HEADER, END] = [12, 8];

function make(
  options: { pages?: number; initial?: number; stopCopy?: number; tracking?: boolean; faults?: object } = {},
) {
  const time = { ns: 0 };
  const memory = new StubMemory((options.pages ?? 8) * STUB_PAGE);
  const load = new LoadGenerator(memory, {
    now: () => time.ns,
    timer: () => ({ expiryNs: -1, arm: () => {}, cancel: () => {} }),
  });
  const chip = new VfioChip(memory, load, {
    features: { p2p: true, preCopy: true },
    initialPages: options.initial ?? 2,
    stopCopyPages: options.stopCopy ?? 1,
    tracking: options.tracking ?? true,
    faults: new Faults({ ...NO_FAULTS, ...options.faults }),
  });
  return { chip, memory, load, time };
}

describe('pre-copy', () => {
  it('offers the initial data first, then everything else but what needs a stopped device', () => {
    const { chip } = make();
    chip.request('PRE_COPY');
    expect(chip.preCopyInfo()).toEqual({ initialBytes: HEADER + 2 * PAGE_RECORD, dirtyBytes: 5 * PAGE_RECORD });
    expect(chip.stopCopySize()).toBe(HEADER + 8 * PAGE_RECORD + END);
    expect(chip.read(HEADER + 2 * PAGE_RECORD)).toHaveLength(HEADER + 2 * PAGE_RECORD);
    expect(chip.preCopyInfo()).toEqual({ initialBytes: 0, dirtyBytes: 5 * PAGE_RECORD });
    expect(chip.read(2 ** 20)).toHaveLength(5 * PAGE_RECORD);
    expect(chip.read(2 ** 20)).toHaveLength(0);
    expect(chip.stopCopySize()).toBe(PAGE_RECORD + END);
  });

  it('reads at least one record, however little is asked for', () => {
    const { chip } = make();
    chip.request('PRE_COPY');
    expect(chip.read(1)).toHaveLength(HEADER + PAGE_RECORD);
    expect(chip.read(1)).toHaveLength(PAGE_RECORD);
  });

  it('counts a page once, however often it changes, and again after it was read', () => {
    const { chip, memory } = make({ stopCopy: 0 });
    chip.request('PRE_COPY');
    while (chip.read(2 ** 20).length > 0);
    memory.write(0, 1);
    memory.write(1, 2);
    memory.write(3 * 1024, 3);
    expect(chip.preCopyInfo()).toEqual({ initialBytes: 0, dirtyBytes: 2 * PAGE_RECORD });
    expect(chip.read(2 ** 20)).toHaveLength(2 * PAGE_RECORD);
  });

  it('without tracking has no dirty bytes and reads everything again when stopped', () => {
    const { chip } = make({ tracking: false });
    chip.request('PRE_COPY');
    expect(chip.read(2 ** 20)).toHaveLength(HEADER + 2 * PAGE_RECORD);
    expect(chip.preCopyInfo()).toEqual({ initialBytes: 0, dirtyBytes: 0 });
    expect(chip.read(2 ** 20)).toHaveLength(0);
    expect(chip.stopCopySize()).toBe(8 * PAGE_RECORD + END);
    chip.request('STOP_COPY');
    expect(chip.read(2 ** 20)).toHaveLength(8 * PAGE_RECORD + END);
  });

  it('starts over in a new session', () => {
    const { chip } = make();
    chip.request('PRE_COPY');
    while (chip.read(2 ** 20).length > 0);
    chip.request('RUNNING');
    chip.request('PRE_COPY');
    expect(chip.preCopyInfo().initialBytes).toBe(HEADER + 2 * PAGE_RECORD);
  });
});

describe('the load', () => {
  it('dirties pages in turn at its rate of guest time', () => {
    const { chip, load, time, memory } = make({ stopCopy: 0 });
    load.setRate(400); // 100 pages in a second
    time.ns = 55e6;
    chip.load.catchUp();
    expect(load.writes).toBe(5);
    expect([0, 1, 4, 5].map((page) => memory.read(page * 1024))).toEqual([1, 2, 5, 0]);
  });

  it('comes to the same in one look as in many', () => {
    const [often, once] = [make(), make()];
    for (const { load } of [often, once]) load.setRate(4000);
    for (let ms = 1; ms <= 500; ms++) {
      often.time.ns = ms * 1e6;
      often.chip.load.catchUp();
    }
    once.time.ns = 500e6;
    once.chip.load.catchUp();
    expect(often.load.writes).toBe(500);
    expect(once.memory.checksum).toBe(often.memory.checksum);
  });

  it('stands still with the device', () => {
    const { chip, load, time } = make();
    load.setRate(400);
    chip.request('STOP');
    time.ns = 1e9;
    chip.load.catchUp();
    expect(load.writes).toBe(0);
  });
});

describe('a state that is asked for', () => {
  it('is refused without a way, and nothing has happened', () => {
    const { chip } = make();
    chip.request('STOP_COPY');
    expect(() => chip.request('PRE_COPY')).toThrow('a VFIO device cannot go from STOP_COPY to PRE_COPY');
    expect(chip.state).toBe('STOP_COPY');
    expect(chip.read(2 ** 20).length).toBeGreaterThan(0);
  });

  it('leaves the device where the failing arc began', () => {
    const { chip } = make({ faults: { transition: 2 } });
    expect(() => chip.request('STOP_COPY')).toThrow('the transition from RUNNING_P2P to STOP failed');
    expect(chip.state).toBe('RUNNING_P2P');
    chip.request('STOP_COPY');
    expect(chip.state).toBe('STOP_COPY');
  });

  it('is ERROR for a device whose data came only in part; only a reset helps', () => {
    const { chip } = make();
    chip.request('RESUMING');
    expect(() => chip.request('RUNNING')).toThrow('has not got all of its data');
    expect(chip.state).toBe('ERROR');
    expect(() => chip.request('RUNNING')).toThrow('from ERROR to RUNNING');
    chip.reset();
    expect(chip.state).toBe('RUNNING');
  });
});

describe('data', () => {
  it('can be read and written only in the states for it', () => {
    const { chip } = make();
    expect(() => chip.read(1)).toThrow('nothing can be read from a device in RUNNING');
    expect(() => chip.write(new Uint8Array(1))).toThrow('nothing can be written to a device in RUNNING');
    expect(() => chip.checkResumed()).toThrow('before the end of the data');
  });

  it.each(['read', 'write'] as const)('%s fails at the n-th call, once', (kind) => {
    const { chip } = make({ faults: { [kind]: 2 } });
    const other = make().chip;
    const [source, destination] = kind === 'read' ? [chip, other] : [other, chip];
    source.request('STOP_COPY');
    destination.request('RESUMING');
    destination.write(source.read(1));
    expect(() => destination.write(source.read(1))).toThrow(`as fail-${kind} asked for`);
    // What failed in a write is gone; a read can be repeated.
    if (kind === 'write') return;
    for (let chunk = source.read(1); chunk.length > 0; chunk = source.read(1)) destination.write(chunk);
    destination.request('RUNNING');
  });

  const page = (number: number, length = STUB_PAGE) => [...be32(number), ...new Array<number>(length).fill(7)];
  const header = (magic = 0x5646_5354, version = 1, pages = 8) => [...be32(magic), ...be32(version), ...be32(pages)];
  function be32(value: number): number[] {
    return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
  }

  it.each([
    ['nothing', [], 'begin with 0 bytes'],
    ['another magic', header(1), 'begin with 0x1'],
    ['another version', header(0x5646_5354, 2), 'version 2, known is 1'],
    ['another size', header(0x5646_5354, 1, 9), 'has 9 pages, this one 8'],
    ['a page beyond the end', [...header(), ...page(8)], 'page 8 of a device with 8'],
    ['half a page', [...header(), ...page(1, 100)], 'page 1 has 100 bytes'],
    ['half a number', [...header(), 1, 2, 3], '3 bytes are no record'],
    ['a wrong checksum', [...header(), ...be32(0xffff_ffff), ...be32(5)], 'checksum was 0x5'],
    ['more after the end', [...header(), ...be32(0xffff_ffff), ...be32(0), 1], '1 bytes come after the end'],
  ])('is refused when it is %s', (_, bytes, reason) => {
    const session = new ResumingSession(new StubMemory(8 * STUB_PAGE));
    expect(() => session.write(Uint8Array.from(bytes))).toThrow(reason);
    expect(() => session.write(Uint8Array.from(bytes))).toThrow(RangeError);
  });
});
