import { fetchLinuxGuest } from '@sterna/guests/node';
import { beforeAll, describe, expect, it } from 'vitest';
import { missing } from '../support/peers.ts';
import { Vm } from '../support/vm.ts';

const reason = missing({ apt: true });
const SHELL = 'STERNA-SHELL-READY';

describe.skipIf(reason !== '')(`a Debian cloud kernel on microvm ${reason}`, () => {
  let images: readonly string[];
  beforeAll(async () => {
    const { kernel, initrd } = await fetchLinuxGuest();
    images = ['-kernel', kernel.path, '-initrd', initrd, '-append', 'console=ttyS0'];
  }, 120_000);

  it.each([
    ['directly, with ACPI, 256 MiB', 'microvm,x-direct-boot=on', '256'],
    ['directly, without ACPI, 1 GiB', 'microvm,acpi=off,x-direct-boot=on', '1G'],
    ['by firmware, with ACPI, 1 GiB', 'microvm,x-direct-boot=off', '1G'],
    ['by firmware, without ACPI, 256 MiB', 'microvm,acpi=off,x-direct-boot=off', '256'],
  ])('boots %s to a shell that takes commands', async (_, machine, memory) => {
    await using vm = await Vm.start('sterna', ['-M', machine, '-m', memory, ...images]);
    await vm.says(SHELL, 120_000);
    vm.type('echo sum=$((6*7)); cat /proc/meminfo\n');
    await vm.says('sum=42');
    const expected = memory === '1G' ? 2 ** 20 : 2 ** 18;
    await vm.says(/MemTotal:\s+(\d+) kB/);
    const total = Number(/MemTotal:\s+(\d+) kB/.exec(vm.serial)![1]);
    expect(total).toBeGreaterThan(expected * 0.8);
    expect(total).toBeLessThanOrEqual(expected);
  });

  it('poweroff -f ends the process with 0', async () => {
    await using vm = await Vm.start('sterna', ['-M', 'microvm', '-m', '256', ...images]);
    await vm.says(SHELL, 120_000);
    vm.type('poweroff -f\n');
    expect(await vm.exited).toBe(0);
  });

  it('reboot -f resets the machine, which boots again', async () => {
    await using vm = await Vm.start('sterna', ['-M', 'microvm', '-m', '256', ...images]);
    await vm.says(SHELL, 120_000);
    vm.type('reboot -f\n');
    await vm.until('a second boot', ({ serial }) => serial.split(SHELL).length === 3, 120_000);
    expect(vm.events.map(({ event }) => event)).toContain('RESET');
  });

  it('reboot -f with -no-reboot ends the process', async () => {
    await using vm = await Vm.start('sterna', ['-M', 'microvm', '-m', '256', '-no-reboot', ...images]);
    await vm.says(SHELL, 120_000);
    vm.type('reboot -f\n');
    expect(await vm.exited).toBe(0);
  });

  it('waits with -S for cont, and system_powerdown reaches the guest', async () => {
    await using vm = await Vm.start('sterna', ['-M', 'microvm', '-m', '256', '-S', ...images]);
    expect(await vm.qmp.executeAny('query-status')).toMatchObject({ status: 'prelaunch', running: false });
    await vm.qmp.executeAny('cont');
    await vm.says(SHELL, 120_000);
    await vm.qmp.executeAny('stop');
    expect(await vm.qmp.executeAny('query-status')).toMatchObject({ status: 'paused', running: false });
    await vm.qmp.executeAny('cont');
    await vm.qmp.executeAny('system_powerdown');
    await vm.until('POWERDOWN', ({ events }) => events.some(({ event }) => event === 'POWERDOWN'));
  });
});
