import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileBackend } from '@sterna/core/node';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bytesOf, Recorder, until } from '../../chardev/recorder.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'sterna-file-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

it('replaces the file, or appends to it', async () => {
  const path = join(dir, 'out');
  writeFileSync(path, 'old');
  const first = new FileBackend('f', { path, append: false });
  for (const part of ['a', 'b', 'c']) first.write(bytesOf(part));
  await first.close();
  expect(readFileSync(path, 'utf8')).toBe('abc');
  const second = new FileBackend('f', { path, append: true });
  second.write(bytesOf('d'));
  await second.close();
  expect(readFileSync(path, 'utf8')).toBe('abcd');
});

it('takes no more than its buffer at once and calls back when there is room', async () => {
  const file = new FileBackend('f', { path: join(dir, 'big'), append: false });
  expect(file.write(new Uint8Array(1 << 20))).toBe(65_536);
  expect(file.write(bytesOf('x'))).toBe(0);
  await new Promise<void>((resolve) => file.onWritable(resolve));
  expect(file.write(bytesOf('x'))).toBe(1);
  await file.close();
});

it('feeds the guest from input-path', async () => {
  const inputPath = join(dir, 'in');
  writeFileSync(inputPath, 'typed');
  const file = new FileBackend('f', { path: join(dir, 'x'), append: false, inputPath });
  const uart = new Recorder();
  file.attach(uart);
  await until(() => uart.text === 'typed');
  await file.close();
});

it('names the file that cannot be opened', () => {
  expect(() => new FileBackend('f', { path: join(dir, 'no/such'), append: false })).toThrow(/cannot open .*no\/such/);
});
