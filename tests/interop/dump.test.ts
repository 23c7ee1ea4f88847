import { spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { tinyGuestFile } from '@sterna/guests/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { missing } from '../support/peers.ts';
import { migrate, PROGRAMS, Vm } from '../support/vm.ts';

const reason = missing({ programs: [PROGRAMS['qemu-new'], 'gdb'] });

/** Headers, segments and notes of a core file. */
function readCore(path: string) {
  const file = readFileSync(path);
  const view = new DataView(file.buffer, file.byteOffset);
  const u64 = (at: number): bigint => view.getBigUint64(at, true);
  const segments = Array.from({ length: view.getUint16(56, true) }, (_, index) => {
    const at = Number(u64(32)) + index * 56;
    return {
      type: view.getUint32(at, true),
      offset: Number(u64(at + 8)),
      virtual: u64(at + 16),
      physical: u64(at + 24),
      stored: Number(u64(at + 32)),
      size: u64(at + 40),
    };
  });
  const [notes, ...loads] = segments;
  return {
    machine: view.getUint16(18, true),
    notes: file.subarray(notes!.offset, notes!.offset + notes!.stored).toString('hex'),
    loads,
    /** Bytes of memory at a physical address. */
    memory(physical: bigint, length: number): string {
      const load = loads.find((one) => physical >= one.physical && physical < one.physical + BigInt(one.stored))!;
      const at = load.offset + Number(physical - load.physical);
      return file.subarray(at, at + length).toString('hex');
    },
    tail: file.subarray(-11).toString('latin1'),
  };
}

describe.skipIf(reason !== '')(`core files of a guest beside those of QEMU ${reason}`, () => {
  let ours: Vm;
  let theirs: Vm;
  const dump = async (vm: Vm, name: string, args: object = {}): Promise<string> => {
    const path = join(vm.directory, name);
    await vm.qmp.executeAny('dump-guest-memory', { paging: false, protocol: `file:${path}`, ...args });
    return path;
  };
  // The same state on both sides: the guest is moved while it stands still.
  beforeAll(async () => {
    const args = ['-M', 'microvm,acpi=off', '-cpu', 'qemu64', '-smp', '2', '-m', '16'];
    const guest = ['-kernel', tinyGuestFile('pvh'), '-append', 'tick=20 work=8'];
    ours = await Vm.start('sterna', [...args, '-M', 'wire=qemu-11.1', ...guest]);
    theirs = await Vm.start('qemu-new', [...args, ...guest, '-incoming', 'defer']);
    await ours.says(/TICK 5 /);
    await ours.qmp.executeAny('stop');
    const outcome = await migrate(ours, theirs, `unix:${theirs.directory}/m`);
    expect(outcome).toMatchObject({ status: 'completed' });
    await theirs.until('the guest', ({ events }) => events.some(({ event }) => event === 'STOP'), 500).catch(() => {});
  }, 120_000);
  afterAll(async () => {
    await ours?.[Symbol.asyncDispose]();
    await theirs?.[Symbol.asyncDispose]();
  });

  it('have the same segments, notes of both vCPUs and memory', async () => {
    const [mine, other] = [readCore(await dump(ours, 'core')), readCore(await dump(theirs, 'core'))];
    expect(mine.machine).toBe(62);
    expect(mine.notes).toBe(other.notes);
    expect(mine.loads).toEqual(other.loads);
    expect(mine.tail).toBe('\0.shstrtab\0');
    for (const { physical, stored } of mine.loads)
      expect(mine.memory(physical, stored) === other.memory(physical, stored)).toBe(true);
  });

  it('of page tables map the same, and a part is a part', async () => {
    const [mine, other] = [
      readCore(await dump(ours, 'paging', { paging: true })),
      readCore(await dump(theirs, 'paging', { paging: true })),
    ];
    // QEMU gives addresses of the lower half the upper bits of the upper one.
    const linear = (virtual: bigint): bigint => BigInt.asUintN(64, BigInt.asIntN(48, virtual));
    const key = ({ virtual, physical, size, stored }: (typeof mine.loads)[number]) =>
      `${linear(virtual).toString(16)} ${physical} ${size} ${stored}`;
    expect(mine.loads.map(key).sort()).toEqual(other.loads.map(key).sort());
    const part = { begin: 0x100000, length: 0x2000 };
    const [myPart, theirPart] = [readCore(await dump(ours, 'part', part)), readCore(await dump(theirs, 'part', part))];
    expect(myPart.loads).toEqual(theirPart.loads);
    expect(myPart.memory(0x100000n, 0x2000)).toBe(theirPart.memory(0x100000n, 0x2000));
  });

  it('are opened by gdb, which finds both vCPUs and memory', async () => {
    const path = await dump(ours, 'for-gdb', { paging: true });
    const code = readCore(path).memory(0x400000n, 4).match(/../g)!;
    const commands = ['info threads', 'thread 1', 'info registers rip', 'x/4xb 0xffff900000000000'];
    const run = spawnSync('gdb', ['-nx', '-batch', ...commands.flatMap((line) => ['-ex', line]), '-core', path], {
      encoding: 'utf8',
      timeout: 60_000,
    });
    expect(run.stdout).toMatch(/LWP 1[\s\S]*LWP 2/);
    expect(run.stdout).toMatch(/^rip\s+0x1[0-9a-f]{5}\b/m);
    expect(run.stdout).toMatch(new RegExp(`0xffff900000000000:\\s+${code.map((byte) => `0x${byte}`).join('\\s+')}`));
  });

  it('in the background are announced, and told of by query-dump', async () => {
    const path = await dump(ours, 'detached', { detach: true });
    await ours.until(
      'DUMP_COMPLETED',
      ({ events }) => events.filter(({ event }) => event === 'DUMP_COMPLETED').length >= 1,
    );
    await ours.until('the file', () => statSync(path).size > 16 * 2 ** 20);
    expect(await ours.qmp.executeAny('query-dump')).toMatchObject({ status: 'completed' });
    expect(ours.events.findLast(({ event }) => event === 'DUMP_COMPLETED')?.data).toMatchObject({
      result: { status: 'completed' },
    });
  });

  it('are refused where QEMU refuses them', async () => {
    for (const args of [
      { protocol: 'nix:x' },
      { begin: 0 },
      { length: 10 },
      { format: 'kdump-lzo' },
      { format: 'kdump-zlib', paging: true },
      { protocol: 'fd:nix' },
    ]) {
      const told = await Promise.all(
        [ours, theirs].map((vm) => dump(vm, 'refused', args).catch((error: Error) => error.message)),
      );
      expect(told[0]).toBe(told[1]);
    }
  });
});
