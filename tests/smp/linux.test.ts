import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fetchLinuxGuest } from '@sterna/guests/node';
import { beforeAll, describe, expect, it } from 'vitest';
import { missing, SHARED } from '../support/peers.ts';
import { checkTicks } from '../support/ticks.ts';
import { migrate, PROGRAMS, type ProgramName, Vm } from '../support/vm.ts';

const reason = missing({ apt: true });
const SHELL = 'STERNA-SHELL-READY';

/** Moves the guest of the last machine of the list to a new one, waits for some ticks there and ends the old one. */
async function hop(vms: Vm[], program: ProgramName, args: readonly string[]): Promise<void> {
  const source = vms.at(-1)!;
  const destination = await Vm.start(program, [...args, '-incoming', 'defer']);
  vms.push(destination);
  const outcome = await migrate(source, destination, `unix:${destination.directory}/migration`);
  expect(outcome).toMatchObject({ status: 'completed', errorDesc: undefined });
  await destination.until('ticks after the move', ({ serial }) => [...serial.matchAll(/TICK/g)].length > 25);
  await source[Symbol.asyncDispose]();
}

describe.skipIf(reason !== '')(`a Debian kernel on several vCPUs ${reason}`, () => {
  let images: readonly string[];
  beforeAll(async () => {
    const { kernel, initrd } = await fetchLinuxGuest();
    images = ['-m', '256', '-kernel', kernel.path, '-initrd', initrd];
  }, 120_000);

  it.each([
    ['by firmware', 'microvm,x-direct-boot=off', '2', 2],
    ['directly', 'microvm,x-direct-boot=on', '4', 4],
    ['with a topology that leaves gaps in the APIC ids', 'microvm', '6,sockets=2,cores=3', 6],
  ])('boots with all of them online, %s', async (_, machine, smp, count) => {
    await using vm = await Vm.start('sterna', ['-M', machine, '-smp', smp, ...images, '-append', 'console=ttyS0']);
    await vm.says(SHELL, 120_000);
    vm.type('echo online=$(nproc) listed=$(grep -c ^processor /proc/cpuinfo)\n');
    await vm.says(`online=${count} listed=${count}`);
    // work on every one of them at once
    vm.type(
      'for c in $(seq $(nproc)); do taskset -p $$ >/dev/null 2>&1; (i=0; while [ $i -lt 3000 ]; do i=$((i+1)); done; echo part=$c) & done; wait; echo all=$?\n',
    );
    await vm.says('all=0', 60_000);
    for (let part = 1; part <= count; part++) expect(vm.serial).toContain(`part=${part}`);
    vm.type('cat /proc/interrupts\n');
    await vm.says('Local timer interrupts');
    const timers = /LOC:((?:\s+\d+)+)/.exec(vm.serial)![1]!.trim().split(/\s+/).map(Number);
    expect(timers.length).toBe(count);
    for (const ticks of timers) expect(ticks).toBeGreaterThan(0);
    const cpus = (await vm.qmp.executeAny('query-cpus-fast')) as readonly Record<string, unknown>[];
    expect(cpus.map((cpu) => cpu['cpu-index'])).toEqual(Array.from({ length: count }, (_, index) => index));
    vm.type('poweroff -f\n');
    expect(await vm.exited).toBe(0);
  });

  it('counting instructions, two boots are the same to the last time stamp', async () => {
    const boot = async (): Promise<string> => {
      const counted = ['-icount', '2', '-rtc', 'base=2026-01-01T00:00:00,clock=vm'];
      const args = ['-M', 'microvm', '-smp', '2', ...counted, ...images, '-append', 'console=ttyS0'];
      await using vm = await Vm.start('sterna', args);
      await vm.says(SHELL, 120_000);
      return vm.serial.slice(0, vm.serial.indexOf(SHELL));
    };
    const first = await boot();
    expect(first).toContain('Brought up 1 node, 2 CPUs');
    expect(await boot()).toBe(first);
  });

  it('moves from process to process while both work', async () => {
    const args = ['-M', 'microvm', '-smp', '2', ...images, '-append', 'console=ttyS0 st=tick tick=20,20,64,0'];
    const vms = [await Vm.start('sterna', args)];
    try {
      await vms[0]!.says(/TICK 20 /, 120_000);
      for (let n = 0; n < 3; n++) await hop(vms, 'sterna', args);
      expect(checkTicks(vms.map(({ serial }) => serial).join('')).faults).toEqual([]);
    } finally {
      for (const vm of vms) await vm[Symbol.asyncDispose]();
    }
  });
});

const qemu = missing({ apt: true, programs: ['qemu-system-x86_64'] });

describe.skipIf(qemu !== '')(`a Debian guest with two vCPUs ${qemu}`, () => {
  it('goes to QEMU and back without a lost tick', async () => {
    const { kernel, initrd } = await fetchLinuxGuest();
    const args = (program: string) => [
      ...['-M', program === 'sterna' ? 'microvm,wire=qemu-7.2' : 'microvm', '-cpu', 'qemu64', '-smp', '2'],
      ...['-m', '256', '-kernel', kernel.path, '-initrd', initrd],
      ...['-append', 'console=ttyS0 st=tick tick=20,10,32,0'],
    ];
    const vms = [await Vm.start('sterna', args('sterna'))];
    try {
      await vms[0]!.says(/TICK 20 /, 120_000);
      for (const program of ['qemu-7.2', 'sterna', 'qemu-7.2']) await hop(vms, program, args(program));
      expect(checkTicks(vms.map(({ serial }) => serial).join('')).faults).toEqual([]);
    } finally {
      for (const vm of vms) await vm[Symbol.asyncDispose]();
    }
  });
});

const crossing = missing({ shared: true, programs: ['qemu-system-x86_64', 'nasm', 'python3'] });

describe.skipIf(crossing !== '')(`a guest with two vCPUs crosses between Sterna and QEMU ${crossing}`, () => {
  it.each([
    ['Sterna first', PROGRAMS.sterna, PROGRAMS['qemu-7.2']],
    ['QEMU first', PROGRAMS['qemu-7.2'], PROGRAMS.sterna],
  ])('%s: four hops without a lost tick', (_, a, b) => {
    const script = join(SHARED, 'tools/interop-qemu.sh');
    const run = spawnSync(
      'bash',
      [script, '--a', a, '--b', b, '--machine', 'microvm,acpi=off', '--smp', '2', '--hops', '4'],
      { encoding: 'utf8', timeout: 240_000 },
    );
    expect(run.stdout + run.stderr).toMatch(/PASS \d+ lines/);
    expect(run.status).toBe(0);
    // the second CPU has worked on both sides
    expect(run.stdout).toMatch(/cpu1 [1-9]/);
  });
});
