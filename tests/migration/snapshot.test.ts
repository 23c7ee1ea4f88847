import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { tinyGuestFile } from '@sterna/guests/node';
import { describe, expect, it } from 'vitest';
import { missing } from '../support/peers.ts';
import { last, returns, status, ticks, withStore } from '../support/snapshot-vm.ts';
import { PROGRAMS, Vm } from '../support/vm.ts';

const GUEST = ['-M', 'microvm', '-m', '24', '-kernel', tinyGuestFile('pvh'), '-append', 'tick=10 rate=20 work=8'];

describe('snapshots of a guest that counts and dirties memory', () => {
  it('goes back to what it was, 20 times, and finds its memory as it left it', async () => {
    await withStore(GUEST, async (vm, _hmp, job) => {
      await vm.until('ticks', () => ticks(vm).length > 20);
      for (let round = 0; round < 20; round++) {
        expect(await job('save', `s${round}`)).toBeUndefined();
        const saved = last(vm);
        await vm.until('the guest to go on', () => last(vm) >= saved + 3);
        expect(await job('load', `s${round}`)).toBeUndefined();
        await vm.until('the guest to go back', () => returns(vm).length === round + 1);
        expect(returns(vm).at(-1)).toBeLessThanOrEqual(saved + 1);
        expect(await job('delete', `s${round}`)).toBeUndefined();
      }
      // A whole pass over the work area checks every page.
      const pass = () => Number([...vm.serial.matchAll(/pass=(\d+)/g)].at(-1)?.[1] ?? 0);
      const before = pass();
      await vm.until('two passes', () => pass() > before + 1);
      expect(vm.serial).not.toContain('BAD');
    });
  });

  it('events and statuses come in the order of QEMU', async () => {
    await withStore(GUEST, async (vm, hmp, job) => {
      await vm.until('ticks', () => ticks(vm).length > 5);
      expect(await job('save', 's')).toBeUndefined();
      expect(await job('load', 's')).toBeUndefined();
      const told = vm.events.map(({ event, data }) => (event === 'JOB_STATUS_CHANGE' ? data!['status'] : event));
      const once = ['created', 'running', 'STOP', 'RESUME', 'waiting', 'pending', 'concluded', 'null'];
      expect(told).toEqual([...once, ...once]);
      expect(await hmp('info snapshots')).toMatch(
        /^List of snapshots present on all disks:\r\nID {6}TAG {15}VM_SIZE {16}DATE {8}VM_CLOCK {5}ICOUNT\r\n-- {6}s {16}[ \d.]{4} MiB \d{4}-\d\d-\d\d \d\d:\d\d:\d\d {2}0000:00:0\d\.\d{3} {9}--\r\n$/,
      );
    });
  });

  it('a paused guest stays paused, and runs from there', async () => {
    await withStore(GUEST, async (vm, hmp) => {
      await vm.until('ticks', () => ticks(vm).length > 5);
      await vm.qmp.executeAny('stop');
      expect(await hmp('savevm s')).toBe('');
      const saved = last(vm);
      await vm.qmp.executeAny('cont');
      await vm.until('ticks', () => last(vm) > saved + 5);
      await vm.qmp.executeAny('stop');
      expect(await hmp('loadvm s')).toBe('');
      expect(await status(vm)).toBe('paused');
      await vm.qmp.executeAny('cont');
      await vm.until('the guest to go back', () => returns(vm).length === 1);
      expect(returns(vm)[0]).toBeLessThanOrEqual(saved + 1);
    });
  });

  it('without a place says what to configure', async () => {
    await using vm = await Vm.start('sterna', GUEST);
    const answer = await vm.qmp.executeAny('human-monitor-command', { 'command-line': 'savevm' });
    expect(answer).toContain('start the machine with -snapshot-store dir=PATH');
    expect(await status(vm)).toBe('running');
  });

  it('a damaged one is refused before the guest feels it; one that does not fit leaves restore-vm', async () => {
    await withStore(GUEST, async (vm, hmp, job) => {
      await vm.until('ticks', () => ticks(vm).length > 5);
      await job('save', 'good');
      await job('save', 'bad');
      const store = vm.child.spawnargs.find((arg) => arg.startsWith('dir='))!.slice(4);
      expect(readdirSync(store).sort()).toEqual(
        ['1', '2'].flatMap((n) => [`snapshot-${n}.json`, `snapshot-${n}.vmstate`]),
      );
      const path = join(store, 'snapshot-2.vmstate');
      const bytes = readFileSync(path);
      bytes[bytes.length >> 1]! ^= 1;
      writeFileSync(path, bytes);
      expect(await job('load', 'bad')).toMatch(/the checksum of .*snapshot-2\.vmstate is/);
      expect(await status(vm)).toBe('running');
      // As if somebody had made the record anew: only the stream itself can tell now.
      bytes[4] = 9;
      const record = JSON.parse(readFileSync(join(store, 'snapshot-2.json'), 'utf8'));
      writeFileSync(join(store, 'snapshot-2.json'), JSON.stringify({ ...record, crc32: crc32(bytes) }));
      writeFileSync(path, bytes);
      expect(await job('load', 'bad')).toMatch(
        /was not loaded; reset the machine or load another one.*section 'header'/,
      );
      expect(await status(vm)).toBe('restore-vm');
      await expect(vm.qmp.executeAny('cont')).rejects.toThrow('a snapshot was loaded only in part');
      expect(await hmp('loadvm good')).toBe('');
      expect(await status(vm)).toBe('paused');
      const before = last(vm);
      await vm.qmp.executeAny('cont');
      await vm.until('ticks', () => ticks(vm).length > before + 5);
    });
  });

  it('begins with a snapshot', async () => {
    await withStore(GUEST, async (vm, hmp) => {
      await vm.until('ticks', () => ticks(vm).length > 30);
      await hmp('savevm s');
      const saved = last(vm);
      const store = vm.child.spawnargs.find((arg) => arg.startsWith('dir='))!;
      await using next = await Vm.start('sterna', [...GUEST, '-snapshot-store', store, '-loadvm', 's']);
      await next.until('ticks', () => ticks(next).length > 5);
      expect(Math.abs(ticks(next)[0]! - saved)).toBeLessThan(4);
      await using paused = await Vm.start('sterna', [...GUEST, '-snapshot-store', store, '-loadvm', 's', '-S']);
      expect(await status(paused)).toMatch(/prelaunch/);
      const none = spawnSync(PROGRAMS.sterna, [...GUEST, '-nodefaults', '-snapshot-store', store, '-loadvm', 'no']);
      expect(none.stderr.toString()).toContain("-loadvm no: Snapshot 'no' does not exist");
      expect(none.status).toBe(1);
    });
  });
});

const peer = missing({ programs: ['qemu-system-x86_64'] });
it.skipIf(peer !== '')(`QEMU runs on what was saved here ${peer}`, async () => {
  // The firmware's size is part of the stream; without ACPI both sides take the same one.
  const guest = GUEST.with(1, 'microvm,acpi=off');
  await withStore(guest, async (vm, hmp) => {
    await vm.until('ticks', () => ticks(vm).length > 20);
    await hmp('savevm s');
    const saved = last(vm);
    const store = vm.child.spawnargs.find((arg) => arg.startsWith('dir='))!.slice(4);
    await using qemu = await Vm.start('qemu-7.2', [...guest, '-incoming', `exec:cat ${store}/snapshot-1.vmstate`]);
    await qemu.until('ticks', () => ticks(qemu).length > 10);
    expect(Math.abs(ticks(qemu)[0]! - saved)).toBeLessThan(4);
    expect(qemu.serial).not.toContain('BAD');
  });
});
