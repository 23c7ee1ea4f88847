import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { failNth } from '@sterna/block';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { migrate, Vm } from '../support/vm.ts';
import { compareWithImage, DISK_BASE, diskGuest, SECTORS, TABLE } from './disk-guest.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sterna-disk-'));
  for (const flush of [true, false]) writeFileSync(join(directory, `guest-${flush}.bin`), diskGuest(flush));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let images = 0;
function newImage(): string {
  const path = join(directory, `disk-${images++}.img`);
  writeFileSync(path, new Uint8Array(SECTORS * 512));
  return path;
}

function options(
  image: string,
  { flush = true, faults }: { flush?: boolean; faults?: Readonly<Record<string, unknown>> } = {},
): string[] {
  const file = { driver: 'file', filename: image, 'node-name': 'file0' };
  const node = {
    driver: 'raw',
    'node-name': 'disk0',
    file: { driver: 'blkdebug', 'node-name': 'debug0', image: file, ...faults },
  };
  return [
    ...['-M', 'microvm', '-m', '16', '-bios', join(directory, `guest-${flush}.bin`)],
    ...['-plugin', join(import.meta.dirname, 'test-disk.ts'), '-blockdev', JSON.stringify(node)],
    ...['-device', `test-disk,id=d0,drive=disk0,mmio=0x${DISK_BASE.toString(16)}`],
  ];
}

const dots = (vm: Vm) => [...vm.serial.matchAll(/\./g)].length;
async function writesOn(vm: Vm): Promise<void> {
  const before = dots(vm);
  await vm.until('more writes', () => dots(vm) > before + 2);
}

async function activeNodes(vm: Vm): Promise<readonly boolean[]> {
  const nodes = (await vm.qmp.executeAny('query-named-block-nodes')) as readonly { active: boolean }[];
  return nodes.map(({ active }) => active);
}

/** How many open files hold the lock that means: somebody writes to the image. */
function writers(image: string): number {
  const { ino } = statSync(image);
  const ranges = readFileSync('/proc/locks', 'utf8')
    .split('\n')
    .map((line) => /:(\d+) (\d+) (\d+)$/.exec(line))
    .filter((match) => match !== null && Number(match[1]) === ino);
  return ranges.filter((match) => Number(match![2]) <= 101 && Number(match![3]) >= 101).length;
}

/** Watches who may write while `action` goes on; answers the numbers of writers that were seen. */
async function watchingWriters(image: string, action: () => Promise<unknown>): Promise<ReadonlySet<number>> {
  const seen = new Set<number>();
  const timer = setInterval(() => seen.add(writers(image)), 1);
  try {
    await action();
  } finally {
    clearInterval(timer);
  }
  return seen;
}

/** Stops the guest and compares all that it remembers with the image. */
async function faults(vm: Vm, image: string): Promise<readonly string[]> {
  await vm.qmp.executeAny('stop');
  const path = join(vm.directory, 'memory');
  await vm.qmp.executeAny('pmemsave', { val: TABLE, size: SECTORS * 4 + 4, filename: path });
  const found = compareWithImage(readFileSync(path), image);
  await vm.qmp.executeAny('cont');
  return found;
}

async function status(vm: Vm): Promise<string | undefined> {
  return ((await vm.qmp.executeAny('query-migrate')) as { status?: string }).status;
}

async function ends(vm: Vm): Promise<string> {
  for (;;) {
    const now = await status(vm);
    if (now !== undefined && ['completed', 'failed', 'cancelled'].includes(now)) return now;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe.skipIf(process.platform !== 'linux')('a disk that two processes share', () => {
  it('changes hands with the guest, hop after hop: no write is lost, and one process owns it', async () => {
    const image = newImage();
    const vms = [await Vm.start('sterna', options(image))];
    try {
      for (let hop = 0; hop < 2; hop++) {
        const source = vms.at(-1)!;
        await writesOn(source);
        expect(await activeNodes(source)).toEqual([true, true, true]);
        const destination = await Vm.start('sterna', [...options(image), '-incoming', 'defer']);
        vms.push(destination);
        expect(await activeNodes(destination)).toEqual([false, false, false]);
        const seen = await watchingWriters(image, async () => {
          const outcome = await migrate(source, destination, `unix:${destination.directory}/migration`);
          expect(outcome).toMatchObject({ status: 'completed', errorDesc: undefined });
        });
        expect(Math.max(...seen)).toBe(1);
        await writesOn(destination);
        expect(await activeNodes(source)).toEqual([false, false, false]);
        expect(await activeNodes(destination)).toEqual([true, true, true]);
        // The guest cannot be started twice, whatever somebody types.
        await expect(source.qmp.executeAny('cont')).rejects.toThrow(/another process uses the image/);
        expect(await source.qmp.executeAny('query-status')).toMatchObject({ running: false });
      }
      const last = vms.at(-1)!;
      expect(await faults(last, image)).toEqual([]);
      await writesOn(last);
      expect(vms.map(({ serial }) => serial).join('')).toMatch(/^\.+$/);
    } finally {
      for (const vm of vms) await vm[Symbol.asyncDispose]();
    }
  });

  it('stays with a source whose flush fails at the switchover, and goes at the second attempt', async () => {
    const image = newImage();
    // The guest never flushes: the first flush is that of the switchover.
    const source = await Vm.start('sterna', options(image, { flush: false, faults: failNth('flush_to_disk', 1) }));
    const destination = await Vm.start('sterna', [...options(image, { flush: false }), '-incoming', 'defer']);
    const second = await Vm.start('sterna', [...options(image, { flush: false }), '-incoming', 'defer']);
    try {
      await writesOn(source);
      const outcome = await migrate(source, destination, `unix:${destination.directory}/migration`);
      expect(outcome).toMatchObject({ status: 'failed', errorDesc: expect.stringMatching(/disk0|debug0/) });
      expect(await source.qmp.executeAny('query-status')).toMatchObject({ status: 'running' });
      await writesOn(source);
      expect(await activeNodes(source)).toEqual([true, true, true]);
      expect(writers(image)).toBe(1);
      expect(await faults(source, image)).toEqual([]);
      expect((await migrate(source, second, `unix:${second.directory}/migration`)).status).toBe('completed');
      await writesOn(second);
      expect(await faults(second, image)).toEqual([]);
    } finally {
      for (const vm of [source, destination, second]) await vm[Symbol.asyncDispose]();
    }
  });

  it('stays with a source that is told to cancel, or whose destination dies', async () => {
    const image = newImage();
    const source = await Vm.start('sterna', options(image));
    try {
      await source.qmp.executeAny('migrate-set-capabilities', {
        capabilities: [{ capability: 'pause-before-switchover', state: true }],
      });
      for (const way of ['cancel', 'death'] as const) {
        const destination = await Vm.start('sterna', [...options(image), '-incoming', 'defer']);
        await writesOn(source);
        const uri = `unix:${destination.directory}/migration`;
        await destination.qmp.executeAny('migrate-incoming', { uri });
        const seen = await watchingWriters(image, async () => {
          await source.qmp.executeAny('migrate', { uri });
          while ((await status(source)) !== 'pre-switchover') await new Promise((resolve) => setTimeout(resolve, 5));
          if (way === 'cancel') await source.qmp.executeAny('migrate_cancel');
          else {
            destination.child.kill('SIGKILL');
            await destination.exited;
            await source.qmp.executeAny('migrate-continue', { state: 'pre-switchover' }).catch(() => {});
          }
          expect(await ends(source)).toBe(way === 'cancel' ? 'cancelled' : 'failed');
        });
        expect(Math.max(...seen)).toBe(1);
        await writesOn(source);
        expect(await activeNodes(source)).toEqual([true, true, true]);
        expect(await faults(source, image)).toEqual([]);
        await destination[Symbol.asyncDispose]();
      }
      expect(source.serial).toMatch(/^\.+$/);
    } finally {
      await source[Symbol.asyncDispose]();
    }
  });

  it('goes from machine to machine while the guest stands still, and runs where it is told to', async () => {
    const image = newImage();
    const vms = [await Vm.start('sterna', options(image))];
    try {
      await writesOn(vms[0]!);
      await vms[0]!.qmp.executeAny('stop');
      for (let hop = 0; hop < 2; hop++) {
        const destination = await Vm.start('sterna', [...options(image), '-incoming', 'defer']);
        const outcome = await migrate(vms.at(-1)!, destination, `unix:${destination.directory}/migration`);
        expect(outcome).toMatchObject({ status: 'completed', errorDesc: undefined });
        vms.push(destination);
        expect(writers(image)).toBe(0);
      }
      await vms[2]!.qmp.executeAny('cont');
      await writesOn(vms[2]!);
      expect(writers(image)).toBe(1);
      expect(await faults(vms[2]!, image)).toEqual([]);
      await expect(vms[1]!.qmp.executeAny('cont')).rejects.toThrow(/another process uses the image/);
    } finally {
      for (const vm of vms) await vm[Symbol.asyncDispose]();
    }
  });

  it('keeps a request that found the disk full, moves it along, and makes it where there is room', async () => {
    const image = newImage();
    const full = { 'inject-error': [{ event: 'write_aio', iotype: 'write', errno: 28 }] };
    // Events are only heard by who is there already.
    const source = await Vm.start('sterna', [...options(image, { faults: full }), '-S']);
    const destination = await Vm.start('sterna', [...options(image), '-incoming', 'defer']);
    try {
      await source.qmp.executeAny('cont');
      await source.until('a full disk', ({ events }) => events.some(({ event }) => event === 'BLOCK_IO_ERROR'));
      expect(source.events.find(({ event }) => event === 'BLOCK_IO_ERROR')?.data).toMatchObject({
        operation: 'write',
        action: 'stop',
        nospace: true,
      });
      expect(await source.qmp.executeAny('query-status')).toMatchObject({ status: 'io-error' });
      expect(await source.qmp.executeAny('query-block')).toMatchObject([{ 'io-status': 'nospace', qdev: 'd0' }]);
      expect((await migrate(source, destination, `unix:${destination.directory}/migration`)).status).toBe('completed');
      await destination.qmp.executeAny('cont');
      await writesOn(destination);
      expect(await faults(destination, image)).toEqual([]);
    } finally {
      for (const vm of [source, destination]) await vm[Symbol.asyncDispose]();
    }
  });
});
