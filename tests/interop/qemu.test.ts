import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { missing, SHARED } from '../support/peers.ts';
import { PROGRAMS } from '../support/vm.ts';

const reason = missing({ shared: true, programs: ['qemu-system-x86_64', 'nasm', 'python3'] });

describe.skipIf(reason !== '')(`the tiny guest crosses between Sterna and QEMU ${reason}`, () => {
  it.each([
    ['Sterna first, unix', PROGRAMS.sterna, PROGRAMS['qemu-7.2'], 'unix'],
    ['QEMU first, unix', PROGRAMS['qemu-7.2'], PROGRAMS.sterna, 'unix'],
    ['Sterna first, tcp', PROGRAMS.sterna, PROGRAMS['qemu-7.2'], 'tcp'],
    ['QEMU first, exec', PROGRAMS['qemu-7.2'], PROGRAMS.sterna, 'exec'],
  ])('%s: four hops without a lost tick', (_, a, b, uri) => {
    const run = spawnSync(
      'bash',
      [
        join(SHARED, 'tools/interop-qemu.sh'),
        '--a',
        a,
        '--b',
        b,
        '--machine',
        'microvm,acpi=off',
        '--hops',
        '4',
        '--uri',
        uri,
      ],
      { encoding: 'utf8', timeout: 240_000 },
    );
    expect(run.stdout + run.stderr).toMatch(/PASS \d+ lines/);
    expect(run.status).toBe(0);
  });
});
