import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { diffVmState, parseVmStateDump, type VmStateDump } from '@sterna/migration';
import { afterAll, describe, expect, it } from 'vitest';
import { missing, ROOT } from '../support/peers.ts';
import { PROGRAMS } from '../support/vm.ts';
import { checkDumps } from './static-checker.ts';

const reason = missing({ programs: ['qemu-system-x86_64'] });
const directory = mkdtempSync(join(tmpdir(), 'sterna-dump-'));
afterAll(() => rmSync(directory, { recursive: true }));

function dump(program: string, name: string): VmStateDump {
  const path = join(directory, name);
  const run = spawnSync(program, ['-M', 'microvm', '-nodefaults', '-dump-vmstate', path], { timeout: 120_000 });
  expect(run.status).toBe(0);
  return parseVmStateDump(readFileSync(path, 'utf8'), name);
}

describe.skipIf(reason !== '')(`dumps of tables beside QEMU's ${reason}`, () => {
  it('the devices of microvm load what QEMU 7.2 sends', () => {
    const [ours, theirs] = [dump(PROGRAMS.sterna, 'ours'), dump(PROGRAMS['qemu-7.2'], 'theirs')];
    // fw_cfg: QEMU's size is that of the C variable, the field has two bytes. ACPI hotplug is not offered here.
    const names = Object.keys(ours).filter((name) => name in theirs && name !== 'fw_cfg_io' && name !== 'acpi-ged');
    expect(names).toEqual(
      expect.arrayContaining(['isa-serial', 'isa-pit', 'isa-i8259', 'ioapic', 'mc146818rtc', 'kvmvapic']),
    );
    const only = (all: VmStateDump) => Object.fromEntries(names.map((name) => [name, all[name]])) as VmStateDump;
    // What came after 7.2: a subsection of i8259, and old versions of the RTC that nobody sends.
    expect(diffVmState(only(theirs), only(ours)).devices).toMatchObject([
      { device: 'isa-i8259', verdict: 'safe', changes: [{ message: expect.stringContaining('i8259/ltim') }] },
      { device: 'mc146818rtc', verdict: 'safe', changes: [{ message: expect.stringContaining('versions before 3') }] },
    ]);
  });

  // The newest QEMU opens all of its modules for this, which it finds only inside of its own system.
  const system = join(ROOT, 'node_modules/.cache/sterna/peers/testing');
  const newest = (): VmStateDump => {
    const path = `/tmp/sterna-${process.pid}.json`;
    const args = [system, '/usr/bin/qemu-system-x86_64', '-M', 'microvm', '-nodefaults', '-dump-vmstate', path];
    try {
      spawnSync('chroot', args, { timeout: 120_000 });
      return parseVmStateDump(readFileSync(join(system, path), 'utf8'), 'newest');
    } finally {
      rmSync(join(system, path), { force: true });
    }
  };
  const needed =
    missing({ programs: [PROGRAMS['qemu-new'], 'chroot'] }) || (process.getuid?.() === 0 ? '' : 'not root');

  it.skipIf(needed !== '')(
    `a checker of its own finds nothing between shared devices, with both QEMUs ${needed}`,
    () => {
      const ours = dump(PROGRAMS.sterna, 'ours-again');
      for (const theirs of [dump(PROGRAMS['qemu-7.2'], 'old'), newest()]) {
        const [there, here] = [checkDumps(ours, theirs), checkDumps(theirs, ours)];
        // QEMU tells the size of a C variable for cur_offset; ltim is sent only when it is needed; ACPI hotplug is not offered.
        const expected = /^(fw_cfg_io: \d+ bytes|isa-i8259: subsection i8259\/ltim|acpi-ged)/;
        expect([...there, ...here].filter((line) => !expected.test(line))).toEqual([]);
      }
    },
  );
});
