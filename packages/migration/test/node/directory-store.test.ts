import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SternaError } from '@sterna/core';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { DirectorySnapshotStore } from '../../src/node/directory-store.ts';
import type { SnapshotFacts, VmStateSource } from '../../src/snapshot/store.ts';

let directory: string;
let store: DirectorySnapshotStore;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sterna-store-'));
  store = new DirectorySnapshotStore('s', join(directory, 'made'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const path = (name: string) => join(directory, 'made', name);
const facts = (name: string): SnapshotFacts => ({
  name,
  dateNs: 1_795_220_258_998_358_000n,
  vmClockNs: 1_227_446_893n,
});
const codeOf = async (promise: Promise<unknown>) =>
  promise.then(
    () => 'fine',
    (error) => (error instanceof SternaError ? error.code : String(error)),
  );

async function saved(name: string, bytes: Uint8Array): Promise<string> {
  const sink = await store.begin();
  await sink.write(0, bytes);
  return (await sink.commit(facts(name))).id;
}

async function all(source: VmStateSource): Promise<Uint8Array> {
  const [parts, buffer] = [[] as Uint8Array[], new Uint8Array(7)];
  for (let at = 0; ; ) {
    const length = await source.read(at, buffer);
    if (length === 0) break;
    parts.push(buffer.slice(0, length));
    at += length;
  }
  await source.close();
  return Buffer.concat(parts);
}

describe('a directory of snapshots', () => {
  test('is made when it is needed, and empty until a snapshot is complete', async () => {
    expect(await store.list()).toEqual([]);
    const sink = await store.begin();
    await sink.write(0, Uint8Array.of(1, 2, 3));
    expect(await store.list()).toEqual([]);
    expect(await sink.commit({ ...facts('a'), icount: 99n })).toEqual({
      ...facts('a'),
      icount: 99n,
      id: '1',
      vmStateSize: 3,
    });
    expect(await store.list()).toEqual([{ ...facts('a'), icount: 99n, id: '1', vmStateSize: 3 }]);
  });

  test('lists the oldest first, and gives no number twice while a snapshot has it', async () => {
    for (const name of ['a', 'b', 'c']) await saved(name, Uint8Array.of(1));
    await store.remove('2');
    await saved('d', Uint8Array.of(1));
    expect((await store.list()).map(({ id, name }) => id + name)).toEqual(['1a', '3c', '4d']);
  });

  test('two machines that save at once get different numbers', async () => {
    const sinks = await Promise.all([1, 2, 3].map(() => store.begin()));
    const infos = await Promise.all(sinks.map((sink, i) => sink.commit(facts(String(i)))));
    expect(new Set(infos.map(({ id }) => id)).size).toBe(3);
  });

  test('keeps nothing of a save that was given up', async () => {
    const sink = await store.begin();
    await sink.write(0, Uint8Array.of(1, 2, 3));
    await sink.abort();
    expect(readdirSync(path(''))).toEqual([]);
  });

  test('gives back any bytes, written in any order and pieces', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.nat(200), fc.boolean(), async (bytes, n, backwards) => {
        const cut = Math.min(n, bytes.length);
        const pieces: [number, Uint8Array][] = [
          [0, bytes.subarray(0, cut)],
          [cut, bytes.subarray(cut)],
        ];
        const sink = await store.begin();
        for (const [at, piece] of backwards ? pieces.reverse() : pieces) await sink.write(at, piece);
        const { id, vmStateSize } = await sink.commit(facts('x'));
        expect(vmStateSize).toBe(bytes.length);
        expect(Buffer.compare(await all(await store.open(id)), bytes)).toBe(0);
        await store.remove(id);
      }),
      { numRuns: 30 },
    );
  });

  test('names any text, and never makes a path of it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ minLength: 1, unit: 'binary' }), async (name) => {
        const id = await saved(name, Uint8Array.of(1));
        // JSON has no lone surrogates in UTF-8.
        if (name.isWellFormed()) expect((await store.list()).map((info) => info.name)).toEqual([name]);
        await store.remove(id);
        expect(readdirSync(directory)).toEqual(['made']);
      }),
      { numRuns: 30 },
    );
  });
});

describe('a damaged snapshot is refused with a code', () => {
  const content = Uint8Array.from({ length: 5000 }, (_, i) => i * 7);

  test('any byte of the state that has changed', async () => {
    await saved('a', content);
    await fc.assert(
      fc.asyncProperty(fc.nat(4999), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const changed = content.slice();
        changed[at]! ^= flip;
        writeFileSync(path('snapshot-1.vmstate'), changed);
        expect(await codeOf(store.open('1'))).toBe('STERNA_ERR_SNAPSHOT_CORRUPT');
      }),
      { numRuns: 30 },
    );
  });

  test('a state that was cut, has grown or is gone', async () => {
    await saved('a', content);
    truncateSync(path('snapshot-1.vmstate'), 4999);
    await expect(store.open('1')).rejects.toThrow(/has 4999 bytes, 5000 were saved/);
    writeFileSync(path('snapshot-1.vmstate'), Buffer.concat([content, content]));
    expect(await codeOf(store.open('1'))).toBe('STERNA_ERR_SNAPSHOT_CORRUPT');
    rmSync(path('snapshot-1.vmstate'));
    expect(await codeOf(store.open('1'))).toBe('STERNA_ERR_HOST_IO');
  });

  test('a record that was changed anywhere is read or refused, never believed half', async () => {
    await saved('a', content);
    const text = readFileSync(path('snapshot-1.json'));
    await fc.assert(
      fc.asyncProperty(fc.nat(text.length - 1), fc.nat(255), async (at, byte) => {
        const changed = Buffer.from(text);
        changed[at] = byte;
        writeFileSync(path('snapshot-1.json'), changed);
        expect(['fine', 'STERNA_ERR_SNAPSHOT_CORRUPT']).toContain(await codeOf(store.open('1')));
        expect((await store.list()).length + (await store.damaged()).length).toBe(1);
      }),
      { numRuns: 60 },
    );
  });

  test('it is told apart in the list, and the others stay usable', async () => {
    await saved('a', content);
    await saved('b', content);
    writeFileSync(path('snapshot-1.json'), '{"format":');
    expect((await store.list()).map(({ name }) => name)).toEqual(['b']);
    expect(await store.damaged()).toEqual([expect.stringMatching(/snapshot-1\.json: this is no JSON/)]);
  });

  test('a directory that cannot be used is named', async () => {
    writeFileSync(join(directory, 'file'), '');
    const broken = new DirectorySnapshotStore('s', join(directory, 'file'));
    await expect(broken.begin()).rejects.toThrow(/cannot save into .*file/);
    await expect(broken.list()).rejects.toThrow(/cannot read the snapshots in/);
  });
});
