import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'vitest';
import { PASSING, PassingClient } from '../../support/passing-client.ts';
import { PatternPair, SOON } from './pattern-pair.ts';
import { type Direction, onlyPeer, type Row, SELF } from './row.ts';

const OFFSET = 0x1000;
const MAGIC = 0x5145_564d;

/** Through a file: the source is done before the destination begins. */
async function throughFile(direction: Direction, offset: boolean): Promise<void> {
  await using pair = await PatternPair.start(direction);
  const { source, destination } = pair;
  const file = pair.path('stream');
  if (offset) writeFileSync(file, 'X'.repeat(OFFSET));
  const uri = `file:${file}${offset ? `,offset=0x${OFFSET.toString(16)}` : ''}`;
  await source.boot();
  await source.parameters(SOON);
  await source.qmp('migrate', { uri });
  await source.status('completed');
  checkFile(file, offset);
  await destination.qmp('migrate-incoming', { uri });
  await pair.finish();
}

function checkFile(file: string, offset: boolean): void {
  const bytes = readFileSync(file);
  if (offset) expect(bytes.subarray(0, OFFSET).every((byte) => byte === 0x58)).toBe(true);
  expect(bytes.readUInt32BE(offset ? OFFSET : 0)).toBe(MAGIC);
}

async function fdset(): Promise<void> {
  await using pair = await PatternPair.start({ args: PASSING });
  const { source, destination } = pair;
  const file = pair.path('stream');
  writeFileSync(file, 'X'.repeat(OFFSET));
  const add = async (side: typeof source, flags: string): Promise<void> => {
    const client = await PassingClient.connect(side.vm);
    const fd = openSync(file, flags);
    await client.execute('add-fd', { 'fdset-id': 1 }, [fd]);
    closeSync(fd);
    client.close();
  };
  const uri = `file:/dev/fdset/1,offset=0x${OFFSET.toString(16)}`;
  await source.boot();
  await source.parameters(SOON);
  await add(source, 'r+');
  await source.qmp('migrate', { uri });
  await source.status('completed');
  checkFile(file, true);
  await add(destination, 'r');
  await destination.qmp('migrate-incoming', { uri });
  await pair.finish();
}

async function badOffset({ from }: Direction): Promise<void> {
  await using pair = await PatternPair.start({ from });
  const uri = `file:${pair.path('stream')},offset=0x20M`;
  await pair.source.boot();
  await expect(pair.source.qmp('migrate', { uri })).rejects.toThrow(/offset/);
  await expect(pair.destination.qmp('migrate-incoming', { uri })).rejects.toThrow(/offset/);
  await pair.source.saysB();
  expect(await pair.source.runState()).toBe('running');
}

/** QEMU's tests of migration through files. */
export const FILE_ROWS: readonly Row[] = [
  {
    name: 'precopy/file',
    proves: 'a file as transport',
    directions: [SELF],
    longDirections: onlyPeer('qemu-new'),
    run: (direction) => throughFile(direction, false),
  },
  {
    name: 'precopy/file/offset',
    proves: 'what is before the offset stays, the stream begins there',
    directions: [SELF],
    longDirections: onlyPeer('qemu-new'),
    run: (direction) => throughFile(direction, true),
  },
  {
    name: 'precopy/file/offset/fdset',
    proves: 'the same with a file from a descriptor set',
    directions: [],
    longDirections: [SELF],
    run: fdset,
  },
  { name: 'precopy/file/offset/bad', proves: 'a malformed offset is refused, the guest runs on', run: badOffset },
];
