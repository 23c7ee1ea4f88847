import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { buildTinyGuest, type TinyForm } from '../../src/node/index.ts';
import { peers } from '../peers.ts';
import { Qemu, ticks } from './qemu.ts';

const peer = peers('qemu-system-x86_64');
const work = mkdtempSync(join(tmpdir(), 'sterna-tiny-'));
const running: Qemu[] = [];
afterEach(() => {
  for (const qemu of running.splice(0)) qemu.kill();
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

function start(form: TinyForm, options: string, extra: string[] = []): Qemu {
  const path = join(work, `tiny.${form}`);
  writeFileSync(path, buildTinyGuest(form, options));
  const boot = form === 'rom' ? ['-bios', path] : ['-kernel', path, '-append', options];
  const qemu = new Qemu([...boot, ...extra]);
  running.push(qemu);
  return qemu;
}

describe('the tiny guest', () => {
  it('is a 64 KiB ROM, a 64-bit ELF file and a 32-bit ELF file', () => {
    expect(buildTinyGuest('rom').length).toBe(0x10000);
    expect([...buildTinyGuest('pvh').subarray(0, 5)]).toEqual([0x7f, 0x45, 0x4c, 0x46, 2]);
    expect([...buildTinyGuest('multiboot').subarray(0, 5)]).toEqual([0x7f, 0x45, 0x4c, 0x46, 1]);
  });
});

describe.skipIf(peer.missing)(`the tiny guest on QEMU${peer.note}`, { retry: 1, timeout: 60_000 }, () => {
  it.each(['pvh', 'multiboot', 'rom'] as const)('runs as %s, checks itself and powers off', async (form) => {
    const qemu = start(form, 'tick=50 rate=10 work=1 stop=6');
    expect(await qemu.exit()).toBe(0);
    expect(ticks(qemu.output)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(qemu.output).toContain('TICKER-DONE 6');
    expect(qemu.output).not.toContain('BAD');
    const [, dirty, pass, pit] = /^TICK 6 t=300 dirty=(\d+) pass=(\d+) lapic=\d+ pit=(\d+) /m.exec(qemu.output)!;
    expect(Number(dirty)).toBeGreaterThan(2500);
    expect(Number(pass)).toBe(Math.floor(Number(dirty) / 1024));
    expect(Number(pit)).toBeGreaterThan(2);
  });

  it('echoes input, resets and powers off on request', async () => {
    const qemu = start('pvh', 'tick=50 work=1');
    await qemu.waitFor(/TICK 2 /);
    qemu.type('xq');
    expect(await qemu.exit()).toBe(0);
    expect(qemu.output).toMatch(/RX 78\n(TICK .*\n)*RX 71\n/);
    const again = start('pvh', 'tick=50 work=1');
    await again.waitFor(/TICK 2 /);
    again.type('r'); // -no-reboot: a reset ends the process
    expect(await again.exit()).toBe(0);
  });

  it('finds a word that was changed while it was moved', async () => {
    const image = join(work, 'state');
    const source = start('rom', 'tick=50 work=1 stop=12', ['-monitor', `unix:${work}/monitor,server=on,wait=off`]);
    await source.waitFor(/TICK 2 /);
    const { connect } = await import('node:net');
    const monitor = connect(`${work}/monitor`);
    monitor.write(`migrate "exec:cat > ${image}"\nquit\n`);
    await source.exit();
    monitor.destroy();
    const sent = Math.max(...ticks(source.output));

    const load = (): Qemu => start('rom', 'tick=50 work=1 stop=12', ['-incoming', `exec:cat ${image}`]);
    const whole = load();
    expect(await whole.exit()).toBe(0);
    expect(ticks(whole.output)[0]).toBe(sent + 1);
    expect(whole.output).toContain('TICKER-DONE 12');

    const state = readFileSync(image);
    const word = Buffer.alloc(8); // word 0 of page 7 in pass 0, see pages.inc
    word.writeBigUInt64LE(BigInt.asUintN(64, 7n * 0x9e3779b97f4a7c15n));
    const at = state.lastIndexOf(word);
    expect(at).toBeGreaterThan(0);
    state[at + 800]! ^= 1;
    writeFileSync(image, state);
    const broken = load();
    const [, want, have] = await broken.waitFor(/BAD page=7 offset=800 want=([0-9a-f]{16}) have=([0-9a-f]{16})\n/);
    expect(BigInt(`0x${want}`) ^ BigInt(`0x${have}`)).toBe(1n);
  });
});
