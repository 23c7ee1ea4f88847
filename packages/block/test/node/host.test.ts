import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { testLayer } from '../support/layer.ts';

const directory = mkdtempSync(join(tmpdir(), 'sterna-block-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const SIZE = 1 << 20;

let count = 0;
function newImage(size = SIZE): string {
  const path = join(directory, `${count++}.img`);
  writeFileSync(path, new Uint8Array(size).fill(0x11));
  return path;
}

async function open(filename: string, more: Readonly<Record<string, unknown>> = {}) {
  const { layer } = testLayer();
  await layer.add({ driver: 'raw', 'node-name': 'n', discard: 'unmap', ...more, file: { driver: 'file', filename } });
  return { layer, disk: layer.attach('n', { id: 'd0' }) };
}

const hasTools = spawnSync('qemu-io', ['--version']).status === 0 && spawnSync('qemu-img', ['--version']).status === 0;
const required = (process.env['CI'] ?? '') !== '';
const tool = (name: string, ...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(name, args, { encoding: 'utf8', timeout: 20_000 });
  return { status, text: stdout + stderr };
};

describe('an image file', () => {
  it('is read, written, flushed and made longer', async () => {
    const path = newImage(1000);
    const { layer, disk } = await open(path);
    expect(disk.length).toBe(1024);
    const tail = new Uint8Array(24).fill(9);
    await disk.read(1000, tail);
    expect([...tail]).toEqual(new Array(24).fill(0));
    await disk.write(990, new Uint8Array(34).fill(7), { fua: true });
    expect(statSync(path).size).toBe(1024);
    await layer.resize(layer.graph.get('n'), 4096);
    await disk.flush();
    await layer.close();
    expect(statSync(path).size).toBe(4096);
    expect(readFileSync(path).subarray(989, 992)).toEqual(Buffer.from([0x11, 7, 7]));
  });

  it('gives zeroed and discarded ranges back to the host', async () => {
    const path = newImage();
    const { layer, disk } = await open(path);
    const before = statSync(path).blocks;
    await disk.writeZeroes(0, SIZE / 2, { mayUnmap: true });
    await disk.discard(SIZE / 2, SIZE / 4);
    const bytes = new Uint8Array(SIZE);
    await disk.read(0, bytes);
    expect(bytes.subarray(0, SIZE / 2).every((byte) => byte === 0)).toBe(true);
    expect(bytes.subarray((SIZE / 4) * 3).every((byte) => byte === 0x11)).toBe(true);
    if (process.platform === 'linux') expect(statSync(path).blocks).toBeLessThan(before / 2);
    await layer.close();
  });

  it('is a file and nothing else', async () => {
    const { layer } = testLayer();
    const add = (filename: string) => layer.add({ driver: 'file', 'node-name': 'f', filename });
    await expect(add('/dev/null')).rejects.toThrow(/Could not open '\/dev\/null': it is not a regular file/);
    await expect(add(directory)).rejects.toThrow(/illegal operation on a directory$/);
    await expect(add(join(directory, 'gone'))).rejects.toThrow(/no such file or directory$/);
  });

  it.skipIf(process.platform !== 'linux')(
    'is locked against us by ourselves too, and free when it is given up',
    async () => {
      const path = newImage();
      const one = await open(path);
      await expect(open(path)).rejects.toMatchObject({ code: 'STERNA_ERR_BLOCK_LOCKED' });
      await one.layer.inactivateAll();
      const two = await open(path);
      await expect(one.layer.activateAll()).rejects.toThrow(/another process uses the image/);
      await two.layer.close();
      await one.layer.activateAll();
      await one.layer.close();
    },
  );
});

describe.skipIf(!hasTools && !required)("an image file, by qemu-img and qemu-io's judgement", () => {
  it('has the content that was written', async () => {
    const [ours, theirs] = [newImage(), newImage()];
    const { layer, disk } = await open(ours, { 'detect-zeroes': 'unmap' });
    await disk.write(512, new Uint8Array(70_000).fill(0xab));
    await disk.write(300_000, new Uint8Array(4096));
    await disk.writeZeroes(100_001, 9999);
    await layer.close();
    const commands = ['write -P 0xab 512 70000', 'write -P 0 300000 4096', 'write -P 0 100001 9999'];
    const { status, text } = tool('qemu-io', '-f', 'raw', ...commands.flatMap((command) => ['-c', command]), theirs);
    expect(text).not.toMatch(/fail/);
    expect(status).toBe(0);
    expect(tool('qemu-img', 'compare', '-f', 'raw', '-F', 'raw', ours, theirs)).toEqual({
      status: 0,
      text: 'Images are identical.\n',
    });
  });

  it.skipIf(process.platform !== 'linux')(
    'is locked against QEMU while we write, and against us while QEMU does',
    async () => {
      const path = newImage();
      const { layer, disk } = await open(path);
      expect(tool('qemu-io', '-f', 'raw', '-c', 'write 0 512', path).text).toMatch(/Failed to get "write" lock/);
      await layer.inactivateAll();
      expect(tool('qemu-io', '-f', 'raw', '-c', 'write -P 5 0 512', path).status).toBe(0);
      await layer.activateAll();
      const into = new Uint8Array(1);
      await disk.read(0, into);
      expect(into[0]).toBe(5);
      await layer.close();

      const qemu = spawn('qemu-io', ['-f', 'raw', path], { stdio: ['pipe', 'pipe', 'ignore'] });
      try {
        await says(qemu, 'qemu-io>');
        await expect(open(path)).rejects.toMatchObject({
          code: 'STERNA_ERR_BLOCK_LOCKED',
          message: expect.stringMatching(/another process uses the image/),
        });
      } finally {
        qemu.kill();
      }
    },
  );

  it('fails at the same requests under the same rules of blkdebug', async () => {
    const path = newImage();
    const rules = {
      'inject-error': [
        { event: 'write_aio', state: 2, errno: 28, once: true },
        { event: 'read_aio', state: 3, iotype: 'read', sector: 4 },
      ],
      'set-state': [
        { event: 'write_aio', state: 1, new_state: 2 },
        { event: 'write_aio', state: 2, new_state: 3 },
      ],
    };
    const requests = [
      'write 0 512',
      'write 512 512',
      'write 1024 512',
      'read 0 512',
      'read 2048 512',
      'read 1024 2048',
    ];
    requests.push('write 2048 512', 'read 2560 512', 'read 2047 2');
    const node = { driver: 'blkdebug', image: { driver: 'file', filename: path }, ...rules };
    const image = `json:${JSON.stringify({ driver: 'raw', file: node })}`;
    const { text } = tool('qemu-io', ...requests.flatMap((request) => ['-c', request]), image);
    const theirs = text.split('\n').filter((line) => /^(wrote|read) |failed/.test(line));
    const { layer } = testLayer();
    await layer.add({ driver: 'raw', 'node-name': 'n', file: node });
    const disk = layer.attach('n', { id: 'd0' });
    const ours: boolean[] = [];
    for (const request of requests) {
      const [kind, offset, length] = request.split(' ');
      const bytes = new Uint8Array(Number(length));
      const done = kind === 'read' ? disk.read(Number(offset), bytes) : disk.write(Number(offset), bytes);
      ours.push(
        await done.then(
          () => true,
          () => false,
        ),
      );
    }
    expect(ours).toEqual(theirs.map((line) => !line.includes('failed')));
    expect(ours.filter((done) => !done).length).toBeGreaterThan(1);
    await layer.close();
  });
});

function says(child: ChildProcess, text: string): Promise<void> {
  return new Promise((resolve) => {
    child.stdout!.on('data', (chunk: Buffer) => {
      if (chunk.toString().includes(text)) resolve();
    });
    child.stdin!.write('\n');
  });
}
