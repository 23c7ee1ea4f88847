import { spawnSync } from 'node:child_process';
import { closeSync, constants, openSync, readFileSync, readSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { PASSING, PassingClient } from '../../support/passing-client.ts';
import { ROOT } from '../../support/peers.ts';
import { checkPattern, type Info, NEVER, PatternPair, type PatternVm, SOON } from './pattern-pair.ts';
import { type Direction, onlyPeer, type Row, SELF } from './row.ts';

const MIB = 2 ** 20;
const PAGE = 4096;
const OFFSET = 0x1000;
/** Main memory and the region of it that the guest writes to. */
const RAM = 128 * MIB;
const [FIRST, LAST] = [MIB, 100 * MIB];

/** How a test differs from the plain one. */
interface Ways {
  readonly live?: boolean;
  readonly multifd?: boolean;
  readonly direct?: boolean;
  readonly fdset?: boolean;
}

/** Saves to a file, looks at it, and goes on from there in another machine. */
async function throughFile(direction: Direction, { live, multifd, direct, fdset }: Ways): Promise<void> {
  await using pair = await PatternPair.start({
    ...direction,
    args: fdset === true ? PASSING : [],
    capabilities: ['mapped-ram', ...(multifd === true ? ['multifd'] : [])],
  });
  const { source, destination } = pair;
  const file = pair.path('ram');
  writeFileSync(file, 'X'.repeat(OFFSET));
  const uri = `file:${fdset === true ? '/dev/fdset/1' : file},offset=${OFFSET}`;
  for (const side of [source, destination]) if (direct === true) await side.parameters({ 'direct-io': true });
  await source.boot();
  if (fdset === true) await addToSet(source, file, constants.O_WRONLY, direct);
  if (live === true) {
    // A slow migration, so that pages are written again and again.
    await source.parameters({ ...NEVER, 'max-bandwidth': 40_000_000 });
    await source.qmp('migrate', { uri });
    await source.until('a second round', ({ ram }) => (ram?.['dirty-sync-count'] ?? 0) >= 2);
    await source.parameters(SOON);
  } else {
    await source.qmp('stop');
    await source.parameters(SOON);
    await source.qmp('migrate', { uri });
  }
  checkFile(file, await source.status('completed'));
  if (fdset === true) await addToSet(destination, file, constants.O_RDONLY, direct);
  await destination.qmp('migrate-incoming', { uri });
  if (live !== true) {
    await destination.until('arrival', ({ status }) => status === 'completed');
    await destination.qmp('cont');
  }
  await pair.finish();
}

async function addToSet(side: PatternVm, file: string, flags: number, direct: boolean | undefined): Promise<void> {
  const client = await PassingClient.connect(side.vm);
  for (const more of direct === true ? [0, constants.O_DIRECT] : [0]) {
    const fd = openSync(file, flags | more);
    await client.execute('add-fd', { 'fdset-id': 1 }, [fd]);
    closeSync(fd);
  }
  client.close();
}

/** Reads the file as the specification says, with nothing of ours, and has our inspector look at it too. */
function checkFile(file: string, { ram }: Info): void {
  const bytes = Buffer.alloc(16 * MIB);
  const fd = openSync(file, 'r');
  readSync(fd, bytes, 0, bytes.length, 0);
  expect(bytes.subarray(0, OFFSET).every((byte) => byte === 0x58)).toBe(true);
  expect(bytes.readUInt32BE(OFFSET)).toBe(0x5145_564d);
  const at = bytes.indexOf('microvm.ram', OFFSET, 'latin1') + 'microvm.ram'.length;
  expect(Number(bytes.readBigUInt64BE(at))).toBe(RAM);
  expect([bytes.readUInt32BE(at + 8), Number(bytes.readBigUInt64BE(at + 12))]).toEqual([1, PAGE]);
  const [bitmapAt, pagesAt] = [20, 28].map((more) => Number(bytes.readBigUInt64BE(at + more))) as [number, number];
  expect([bitmapAt, pagesAt % MIB]).toEqual([at + 36, 0]);
  const bitmap = bytes.subarray(bitmapAt, bitmapAt + RAM / PAGE / 8);
  const memory = Buffer.alloc(LAST - FIRST);
  readSync(fd, memory, 0, memory.length, pagesAt + FIRST);
  closeSync(fd);
  for (let page = 0; page < RAM / PAGE; page++) {
    const inside = page >= FIRST / PAGE && page < LAST / PAGE;
    const present = (bitmap[page >>> 3]! >>> (page & 7)) & 1;
    if (!inside || present !== 0) continue;
    // A page that is zero now may have been written before it was.
    memory.fill(0, page * PAGE - FIRST, (page + 1) * PAGE - FIRST);
  }
  checkPattern(memory, FIRST);
  checkSize(file, pagesAt, ram!.transferred);
  const inspected = spawnSync(
    join(ROOT, 'node_modules/.bin/sterna'),
    ['stream', 'inspect', file, '--offset', String(OFFSET)],
    {
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    },
  );
  expect([inspected.status, inspected.stderr]).toEqual([0, '']);
  expect(inspected.stdout).toContain('microvm.ram');
}

/** However much was sent: a place for each page, and some devices. What was never written takes no room. */
function checkSize(file: string, pagesAt: number, transferred: number): void {
  const { size, blocks } = statSync(file);
  expect(transferred).toBeGreaterThan(90 * MIB);
  expect(size).toBeGreaterThan(pagesAt + RAM);
  expect(size).toBeLessThan(pagesAt + RAM + 4 * MIB);
  expect(blocks * 512).toBeLessThan(110 * MIB);
}

/** A file that is no file, settings that contradict each other, and a destination that expects something else. */
async function refused(): Promise<void> {
  await using pair = await PatternPair.start({ capabilities: ['mapped-ram'] });
  const { source, destination } = pair;
  await source.boot();
  await expect(source.qmp('migrate', { uri: `unix:${pair.path('mig')}` })).rejects.toThrow(/mapped-ram.*file/);
  await expect(destination.qmp('migrate-incoming', { uri: `unix:${pair.path('mig')}` })).rejects.toThrow(/file/);
  await expect(source.capability('xbzrle')).rejects.toThrow(/mapped-ram.*xbzrle/);
  await source.parameters(SOON);
  await source.qmp('migrate', { uri: `file:${pair.path('ram')}` });
  await source.status('completed');
  await destination.qmp('migrate-set-capabilities', { capabilities: [{ capability: 'mapped-ram', state: false }] });
  await destination.qmp('migrate-incoming', { uri: `file:${pair.path('ram')}` });
  const { 'error-desc': reason } = await destination.until('failure', ({ status }) => status === 'failed');
  expect(reason).toContain('mapped-ram');
  // It can be tried again.
  await destination.capability('mapped-ram');
  await destination.qmp('migrate-incoming', { uri: `file:${pair.path('ram')}` });
  await pair.finish();
  expect(readFileSync(pair.path('ram')).readUInt32BE(0)).toBe(0x5145_564d);
}

const PEER = onlyPeer('qemu-new');

/** QEMU's tests of files in which each page has a place. */
export const MAPPED_RAM_ROWS: readonly Row[] = [
  {
    name: 'precopy/file/mapped-ram',
    proves: 'RAM at fixed places of a file',
    note: 'behind an offset; the file is read by a reader of the test and by `sterna stream inspect`; to and from 11.1, since 7.2 has none',
    directions: [],
    longDirections: [SELF, ...PEER],
    run: (direction) => throughFile(direction, {}),
  },
  {
    name: 'precopy/file/mapped-ram/live',
    proves: 'pages that are written again stay in their places, and the file as large as it was',
    directions: [SELF],
    longDirections: PEER,
    run: (direction) => throughFile(direction, { live: true }),
  },
  {
    name: '(none) mapped-ram/refused',
    proves: 'other transports, contradictions and a destination without the capability are refused; then it works',
    note: 'not in QEMU',
    directions: [],
    longDirections: [SELF],
    run: refused,
  },
  {
    name: 'multifd/file/mapped-ram',
    proves: 'several threads into one file',
    directions: [],
    longDirections: [SELF, ...PEER],
    run: (direction) => throughFile(direction, { multifd: true }),
  },
  {
    name: 'multifd/file/mapped-ram/live',
    proves: 'the same while the guest runs',
    directions: [],
    longDirections: [SELF, ...PEER],
    run: (direction) => throughFile(direction, { multifd: true, live: true }),
  },
  {
    name: 'multifd/file/mapped-ram/dio',
    proves: "pages bypass the host's cache",
    directions: [SELF],
    longDirections: PEER,
    run: (direction) => throughFile(direction, { multifd: true, direct: true }),
  },
  {
    name: 'multifd/file/mapped-ram/fdset, fdset/dio',
    proves: 'the file comes as a set of descriptors, one of them for pages',
    directions: [],
    longDirections: [SELF],
    run: async (direction) => {
      await throughFile(direction, { multifd: true, fdset: true });
      await throughFile(direction, { multifd: true, fdset: true, direct: true });
    },
  },
];
