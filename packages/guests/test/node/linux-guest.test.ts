import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { cpioFile, readCpio, SHELL_READY } from '../../src/index.ts';
import { buildTicker, fetchLinuxGuest, hasApt, type LinuxGuest } from '../../src/node/index.ts';
import { peers } from '../peers.ts';
import { Qemu, ticks } from './qemu.ts';

const peer = peers('qemu-system-x86_64', 'apt-get', 'dpkg-deb');
const work = mkdtempSync(join(tmpdir(), 'sterna-linux-'));
afterAll(() => rmSync(work, { recursive: true, force: true }));

describe.skipIf(process.platform !== 'linux' || process.arch !== 'x64')(
  'ticker on this host (Linux x86-64 only)',
  () => {
    const path = join(work, 'ticker');
    beforeAll(() => {
      writeFileSync(path, buildTicker());
      chmodSync(path, 0o755);
    });

    it('counts, dirties at the rate asked for and checks everything at the end', () => {
      const output = execFileSync(path, ['20', '50', '1', '10'], { encoding: 'latin1' });
      expect(ticks(output)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
      expect(output).toMatch(/\nTICKER-DONE 10\n$/);
      const dirty = Number(/^TICK 10 t=\d+ dirty=(\d+)/m.exec(output)![1]);
      expect(dirty).toBeGreaterThan(5000); // 0.2 s at 50 MB/s is 9765 KiB; a busy host may be behind
      expect(dirty).toBeLessThan(10500);
    });

    it('refuses an interval of zero', () => {
      expect(() => execFileSync(path, ['0'], { stdio: 'pipe' })).toThrow(/usage: ticker|status 2|Command failed/);
    });
  },
);

/**
 * On a busy host QEMU's microvm is too slow for the kernel's own measurement, and then it hangs; QEMU's TSC runs at the
 * host's rate, so the rate is told.
 */
function toldTscRate(): string {
  const megahertz = /^cpu MHz\s*: ([0-9.]+)/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1];
  return megahertz === undefined ? '' : ` tsc_early_khz=${Math.round(Number(megahertz) * 1000)}`;
}

describe.skipIf(peer.missing || !hasApt())(`Linux on QEMU${peer.note}`, { retry: 2, timeout: 90_000 }, () => {
  let guest: LinuxGuest;
  const running: Qemu[] = [];
  const boot = (append: string, initrd = guest.initrd): Qemu => {
    const args = [
      '-kernel',
      guest.kernel.path,
      '-initrd',
      initrd,
      '-append',
      `console=ttyS0 quiet ${append}${toldTscRate()}`,
    ];
    const qemu = new Qemu(args, { memory: 256 });
    running.push(qemu);
    return qemu;
  };
  beforeAll(async () => {
    guest = await fetchLinuxGuest();
  }, 120_000);
  afterEach(() => {
    for (const qemu of running.splice(0)) qemu.kill();
  });

  it('offers a shell that takes input, and powers off', async () => {
    const qemu = boot('');
    await qemu.waitFor(new RegExp(`^${SHELL_READY}$`, 'm'));
    await qemu.waitFor(/# /);
    qemu.type('echo $((6 * 7)); uname -r\n');
    await qemu.waitFor(/\n42\n/);
    await qemu.waitFor(new RegExp(`\n${guest.kernel.release}\n`));
    qemu.type('poweroff -f\n');
    expect(await qemu.exit()).toBe(0);
  });

  it('runs a program of ours and reports its status', async () => {
    const packed = await fetchLinuxGuest({
      gzip: true,
      extra: [cpioFile('bin/three', '#!/bin/sh\necho "$@"; exit 3\n', 0o755)],
    });
    const names = readCpio(gunzipSync(readFileSync(packed.initrd))).map(({ name }) => name);
    expect(names).toContain('bin/three');
    const qemu = boot('st=run cmd=/bin/three,a,b', packed.initrd);
    expect(await qemu.exit()).toBe(0);
    expect(qemu.output).toMatch(/\na b\nRUN-EXIT 3\n/);
  });

  it('ticks', async () => {
    const qemu = boot('st=tick tick=50,20,4,6');
    expect(await qemu.exit()).toBe(0);
    expect(ticks(qemu.output)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(qemu.output).toMatch(/TICKER-DONE 6\nTICKER-EXIT 0\n/);
  });

  it('reboots', async () => {
    const qemu = boot('st=run cmd=reboot,-f'); // -no-reboot: the process ends
    expect(await qemu.exit()).toBe(0);
    expect(qemu.output).not.toContain('RUN-EXIT');
  });
});
