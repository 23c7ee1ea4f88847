import { mkdtemp, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { TransportError } from '../../src/errors.ts';
import { cutAt, FileReader, openForReading, openForWriting } from '../../src/node/file.ts';

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sterna-file-'));
  path = join(directory, 'stream');
});
afterEach(() => rm(directory, { recursive: true }));

async function fileReader(from: string, offset: number): Promise<FileReader> {
  return new FileReader(`file:${from}`, await openForReading(from), offset);
}

test('a file is read from its offset to its end, in pieces', async () => {
  const content = Uint8Array.from({ length: 300_000 }, (_, i) => i % 251);
  await writeFile(path, content);
  const reader = await fileReader(path, 1000);
  const pieces: Uint8Array[] = [];
  for (let piece = await reader.read(); piece !== undefined; piece = await reader.read()) pieces.push(piece.slice());
  expect(pieces.length).toBeGreaterThan(1);
  expect(Buffer.compare(Buffer.concat(pieces), content.subarray(1000))).toBe(0);
  await reader.end();
  await reader.close();
  await reader.close();
  await expect(reader.read()).rejects.toThrow(TransportError);
});

test('a reader cannot be written, and after an abort not be read', async () => {
  await writeFile(path, 'text');
  const reader = await fileReader(path, 0);
  await expect(reader.write()).rejects.toThrow('read, not written');
  const under = reader.read();
  reader.abort(new TransportError('enough'));
  await expect(under).rejects.toThrow('enough');
  await expect(reader.read()).rejects.toThrow('enough');
});

test('what cannot be opened is named', async () => {
  await expect(openForReading(join(directory, 'nothing'))).rejects.toThrow(/cannot read .*nothing/);
  await expect(openForWriting(join(directory, 'no/where'))).rejects.toThrow(/cannot write .*where/);
});

test('a file to write is cut at the offset, longer or shorter than it was', async () => {
  await writeFile(path, 'a longer text');
  for (const offset of [8, 4096, 0]) {
    const fd = await cutAt(path, await openForWriting(path), offset);
    const { size } = await stat(path);
    expect(size).toBe(offset);
    const { closeSync } = await import('node:fs');
    closeSync(fd);
  }
});

test('a descriptor that cannot be cut is closed, and the reason told', async () => {
  await writeFile(path, 'text');
  const { fd } = await open(path, 'r');
  await expect(cutAt(path, fd, 2)).rejects.toThrow(/cannot cut .* at 2/);
  expect(await readFile(path, 'utf8')).toBe('text');
});
