import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fetchLinuxGuest } from '@sterna/guests/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { missing } from '../support/peers.ts';
import { Vm } from '../support/vm.ts';
import { Gdb } from './gdb-process.ts';
import { debugGuest, type GuestMode } from './guest.ts';

const reason = missing({ programs: ['gdb'] });
const noLinux = reason || missing({ apt: true });

describe.skipIf(reason !== '')(`Debian's gdb and a small guest ${reason}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'sterna-gdb-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  async function start(mode: GuestMode, ...more: string[]) {
    const guest = debugGuest(mode);
    const rom = join(folder, `guest${mode}.rom`);
    writeFileSync(rom, guest.rom);
    const vm = await Vm.start('sterna', ['-M', 'microvm', '-m', '16', '-bios', rom, ...more]);
    const gdb = new Gdb();
    const attach = () => gdb.run(`target remote ${vm.directory}/gdb`);
    return { guest, vm, gdb, attach };
  }
  const SERVER = ['-gdb', 'unix:gdb,server=on,wait=off'];
  const status = async (vm: Vm): Promise<unknown> =>
    ((await vm.qmp.executeAny('query-status')) as { status: unknown }).status;

  it.each([64, 32, 31] as const)('%i: registers, memory, breakpoints, steps and watchpoints', async (mode) => {
    const { guest, vm, gdb, attach } = await start(mode, '-S', ...SERVER);
    await using _ = vm;
    await using __ = gdb;
    expect(await attach()).toContain('0x000000000000fff0');
    expect(await gdb.value('$cs')).toBe(0xf000n);

    expect(await gdb.run(`hbreak *${guest.at('loop_start')}`, 'continue')).toContain('Breakpoint 1');
    expect(await gdb.value('$pc')).toBe(BigInt(guest.at('loop_start')));
    expect(await status(vm)).toBe('debug');
    await gdb.run('delete');

    // step into and out of a function
    await gdb.run('stepi', 'stepi');
    expect(await gdb.value('$pc')).toBe(BigInt(guest.at('work')));
    expect(await gdb.value('$rbx')).toBe(1n);
    await gdb.run(`break *${guest.at('work_body')}`, 'continue');
    await gdb.run('continue');
    expect([await gdb.value('$pc'), await gdb.value('$rbx')]).toEqual([BigInt(guest.at('work_body')), 2n]);
    // leaving the breakpoint where it is, stepping over it
    await gdb.run('set $rdx = 0x100', 'stepi');
    expect(await gdb.value('$rdx')).toBe(0x103n);
    expect(await gdb.run('delete', 'stepi', `x/i $pc`)).toContain('mov');

    expect(await gdb.run(`x/s ${guest.at('pattern')}`)).toContain('"debugger"');
    await gdb.run(`set {char}${guest.at('pattern')} = 'D'`);
    expect(await gdb.run(`x/s ${guest.at('pattern')}`)).toContain('"Debugger"');
    if (mode !== 31) expect(await gdb.run('x/x 0x40000000')).toContain('Cannot access memory');

    const watched = await gdb.run(`watch *(int*)${guest.at('counter')}`, 'continue', 'continue');
    expect(watched).toMatch(/Old value = 2\s+New value = 3/);
    expect(await gdb.value('$pc')).toBe(BigInt(guest.at('after_store')));
    await gdb.run('delete');
    expect(await gdb.run(`rwatch *(int*)${guest.at('stop_flag')}`, 'continue')).toContain('Value = 0');
    await gdb.run('delete');
    expect(await gdb.run(`awatch *(int*)${guest.at('counter')}`, 'continue')).toContain('New value = 4');
    await gdb.run('delete', `watch *(int*)${guest.at('other')}`);

    await gdb.run('set $xmm5.v4_int32[1] = 77', 'set $eflags = 0x247', 'set $st0 = 1.5');
    expect(await gdb.value('$xmm5.v4_int32[1]')).toBe(77n);
    expect(await gdb.run('print $st0')).toContain('1.5');
    expect(await gdb.run('print $eflags')).toContain('[ CF PF ZF IF ]');
    await gdb.run('set $eflags = 2', 'delete');

    // code that gdb writes is executed: the guest leaves its loop
    await gdb.run(`set *(int*)${guest.at('stop_flag')} = 1`, `break *${guest.at('done')}`, 'continue');
    expect(await gdb.value('$pc')).toBe(BigInt(guest.at('done')));
  });

  it('Ctrl-C stops a running guest, which runs on when gdb goes', async () => {
    const { guest, vm, gdb, attach } = await start(64, ...SERVER);
    await using _ = vm;
    await using __ = gdb;
    expect(await status(vm)).toBe('running');
    await attach();
    expect(await status(vm)).toBe('paused');
    const stopped = gdb.run('continue');
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(await status(vm)).toBe('running');
    gdb.interrupt();
    expect(await stopped).toContain('SIGINT');
    await gdb.run(`break *${guest.at('work')}`, 'continue', 'detach');
    expect(await status(vm)).toBe('running');
    await attach();
    // without a word
    await gdb[Symbol.asyncDispose]();
    await vm.until('RESUME', ({ events }) => events.at(-1)?.event === 'RESUME');
    expect(await status(vm)).toBe('running');
  });

  it('threads, the monitor, physical memory and kill', async () => {
    const { guest, vm, gdb, attach } = await start(64, '-S', ...SERVER);
    await using _ = vm;
    await using __ = gdb;
    await attach();
    await gdb.run(`hbreak *${guest.at('loop_start')}`, 'continue');
    expect(await gdb.run('info threads')).toMatch(/\* 1 .*CPU#0/);
    expect(await gdb.run('monitor info status')).toContain('VM status: paused (debug)');
    expect(await gdb.run('maintenance packet Qqemu.PhyMemMode:1')).toContain('"OK"');
    expect(await gdb.run('x/x 0x40000000')).toContain('Cannot access memory');
    expect(await gdb.run('x/8xb 0xfffffff0')).toContain('0xe9');
    await gdb.run('maintenance packet Qqemu.PhyMemMode:0');
    expect(await gdb.run('x/x 0x40000000')).toContain('Cannot access memory');
    await gdb.run('kill');
    expect(await vm.exited).toBe(0);
  });

  it('gdbserver of the monitor opens and closes', async () => {
    const { vm, gdb, attach } = await start(64);
    await using _ = vm;
    await using __ = gdb;
    const hmp = (line: string) => vm.qmp.executeAny('human-monitor-command', { 'command-line': line });
    expect(await hmp('gdbserver unix:gdb,server=on,wait=off')).toContain('Waiting for gdb connection');
    expect(await attach()).toMatch(/0x[0-9a-f]+ in/);
    expect(await hmp('gdbserver none')).toContain('Disabled gdbserver');
    await vm.until('RESUME', ({ events }) => events.at(-1)?.event === 'RESUME');
    expect(await hmp('gdbserver bad:device')).toContain('no character backend');
  });

  it('a reset keeps breakpoints', async () => {
    const { guest, vm, gdb, attach } = await start(64, '-S', ...SERVER);
    await using _ = vm;
    await using __ = gdb;
    await attach();
    await gdb.run(`hbreak *${guest.at('long_mode')}`, 'continue');
    await gdb.run('monitor system_reset', 'continue');
    expect(await gdb.value('$pc')).toBe(BigInt(guest.at('long_mode')));
  });

  it('gdb starts the machine as its pipe', async () => {
    const guest = debugGuest(32);
    const rom = join(folder, 'pipe.rom');
    writeFileSync(rom, guest.rom);
    await using gdb = new Gdb();
    const program = join(import.meta.dirname, '../../node_modules/.bin/sterna-system-x86_64');
    const options = `-M microvm -m 16 -bios ${rom} -nodefaults -display none -S -gdb stdio`;
    expect(await gdb.run(`target remote | ${program} ${options}`)).toContain('fff0 in');
    await gdb.run(`hbreak *${guest.at('work')}`, 'continue');
    expect(await gdb.value('$pc')).toBe(BigInt(guest.at('work')));
    await gdb.run('kill');
  });
});

describe.skipIf(noLinux !== '')(`Debian's gdb and a Debian kernel ${noLinux}`, () => {
  let images: readonly string[];
  beforeAll(async () => {
    const { kernel, initrd } = await fetchLinuxGuest();
    images = ['-kernel', kernel.path, '-initrd', initrd, '-append', 'console=ttyS0 nokaslr'];
  }, 120_000);

  it('breaks in the running kernel and at its start, steps, and continues to the shell', async () => {
    await using vm = await Vm.start('sterna', [
      ...['-M', 'microvm', '-m', '256', '-smp', '2', '-S', '-gdb', 'unix:gdb,server=on,wait=off'],
      ...images,
    ]);
    await using gdb = new Gdb();
    await gdb.run(`target remote ${vm.directory}/gdb`, 'stepi', 'stepi');
    let running = gdb.run('continue');
    await vm.says('STERNA-SHELL-READY', 120_000);
    vm.type("grep -E ' (_printk|__x64_sys_newuname)$' /proc/kallsyms; echo listed\n");
    await vm.says(/\nlisted/);
    const address = (name: string): string => {
      const match = new RegExp(`([0-9a-f]{16}) . ${name}\\r?\\n`).exec(vm.serial);
      if (match === null) throw new Error(`no ${name} in ${vm.serial.slice(-500)}`);
      return `0x${match[1]}`;
    };
    gdb.interrupt();
    expect(await running).toContain('SIGINT');

    expect(await gdb.run('info threads')).toMatch(/1 .*CPU#0[\s\S]*2 .*CPU#1/);
    await gdb.run('thread 2');
    expect(await gdb.value('$gs_base')).not.toBe(0n);

    await gdb.run(`break *${address('__x64_sys_newuname')}`);
    running = gdb.run('continue');
    vm.type('uname -s; echo done-$((1+1))\n');
    expect(await running).toContain('Breakpoint 1');
    expect(await gdb.value('$pc')).toBe(BigInt(address('__x64_sys_newuname')));
    // a user's page tables are in force here; the kernel's text is readable
    expect(await gdb.run('stepi', 'x/3i $pc')).toMatch(/=> 0xffffffff/);
    const stack = await gdb.value('*(unsigned long*)$rsp');
    expect(stack >> 32n).toBe(0xffff_ffffn);
    await gdb.run('delete', `tbreak *${stack}`, 'continue');
    expect(await gdb.value('$pc')).toBe(stack);
    running = gdb.run('continue');
    await vm.says('done-2');
    gdb.interrupt();
    await running;

    // no function of the start alone: its memory is filled with INT3 by now, which gdb takes for breakpoints of the guest
    await gdb.run(`hbreak *${address('_printk')}`, 'monitor system_reset', 'continue');
    expect(await gdb.value('$pc')).toBe(BigInt(address('_printk')));
    for (let i = 0; i < 20; i++) await gdb.run('stepi');
    await gdb.run('delete', 'detach');
    await vm.until('a second boot', ({ serial }) => serial.split('STERNA-SHELL-READY').length === 3, 120_000);
    vm.type('echo alive-$((3*3))\n');
    await vm.says('alive-9');
  });
});
