import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { buildInitramfs, cpioFile, INIT_SCRIPT, RUN_EXIT, readCpio, SHELL_READY } from '../src/index.ts';

const busybox = new Uint8Array([1, 2, 3]);

describe('the initramfs', () => {
  it('holds a console, init, BusyBox with its names, and what is asked for', () => {
    const entries = readCpio(
      buildInitramfs({ busybox, ticker: new Uint8Array([4]), extra: [cpioFile('root/x', 'y')] }),
    );
    const named = new Map(entries.map((entry) => [entry.name, entry]));
    expect(named.get('dev/console')).toMatchObject({ mode: 0o020600, device: [5, 1] });
    expect(named.get('init')!.mode).toBe(0o100755);
    expect(named.get('bin/busybox')!.data).toEqual(busybox);
    expect(new TextDecoder().decode(named.get('bin/sh')!.data)).toBe('busybox');
    expect(new TextDecoder().decode(named.get('sbin/poweroff')!.data)).toBe('../bin/busybox');
    expect(named.has('bin/ticker') && named.has('root/x')).toBe(true);
    for (const { name } of entries) if (name.includes('/')) expect(named.has(name.replace(/\/[^/]*$/, ''))).toBe(true);
  });

  it('is the same bytes for the same content', () => {
    expect(buildInitramfs({ busybox })).toEqual(buildInitramfs({ busybox }));
  });

  it('has an init that prints the markers and that a shell accepts', () => {
    expect(INIT_SCRIPT).toContain(`echo ${SHELL_READY}`);
    expect(INIT_SCRIPT).toContain(`label=${RUN_EXIT}`);
    if (process.platform === 'linux') execFileSync('sh', ['-n'], { input: INIT_SCRIPT });
  });
});
