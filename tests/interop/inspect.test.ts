import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { tinyGuestFile } from '@sterna/guests/node';
import { describe, expect, it } from 'vitest';
import { missing, ROOT } from '../support/peers.ts';
import { delay, PROGRAMS, type ProgramName, Vm } from '../support/vm.ts';

const reason = missing({ programs: [PROGRAMS['qemu-new']] });

/** Runs `sterna stream`. */
function stream(...args: string[]): { code: number | null; out: string; err: string } {
  const run = spawnSync(join(ROOT, 'node_modules/.bin/sterna'), ['stream', ...args], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  return { code: run.status, out: run.stdout, err: run.stderr };
}

async function capabilities(vm: Vm, on: readonly string[]): Promise<void> {
  const all = ['mapped-ram', 'multifd'].map((capability) => ({ capability, state: on.includes(capability) }));
  await vm.qmp.executeAny('migrate-set-capabilities', { capabilities: all });
}

async function completed(vm: Vm): Promise<void> {
  for (let status = ''; status !== 'completed'; ) {
    const info = (await vm.qmp.executeAny('query-migrate')) as { status?: string };
    status = info.status ?? '';
    if (status === 'failed') throw new Error(JSON.stringify(info));
    await delay(20);
  }
}

/** Loads a file and saves it again in another form; the guest in it stands still. */
async function again(
  program: ProgramName,
  args: readonly string[],
  from: string,
  before: string[],
  to: string,
  now: string[],
) {
  await using vm = await Vm.start(program, [...args, '-incoming', 'defer']);
  await capabilities(vm, before);
  await vm.qmp.executeAny('migrate-incoming', { uri: `file:${from}` });
  await completed(vm);
  await capabilities(vm, now);
  await vm.qmp.executeAny('migrate', { uri: `file:${to}` });
  await completed(vm);
}

describe.skipIf(reason !== '')(`files with fixed places for pages are looked into ${reason}`, () => {
  it.each([['qemu-new'], ['sterna']] as const)('of %s', async (program: ProgramName) => {
    const kernel = tinyGuestFile('pvh');
    const args = ['-M', 'microvm,acpi=off', '-m', '32', '-kernel', kernel, '-append', 'tick=20'];
    await using vm = await Vm.start(program, args);
    await vm.says('TICK 3 ');
    await vm.qmp.executeAny('stop');
    const plain = join(vm.directory, 'plain');
    const mapped = join(vm.directory, 'mapped');
    const several = join(vm.directory, 'several');
    await vm.qmp.executeAny('migrate', { uri: `file:${plain}` });
    await completed(vm);
    await again(program, args, plain, [], mapped, ['mapped-ram']);
    await again(program, args, mapped, ['mapped-ram'], several, ['mapped-ram', 'multifd']);
    for (const file of [plain, several]) {
      const shown = stream('inspect', file, '--field', 'cpu/0/env.eip');
      expect(shown).toMatchObject({ code: 0, err: '' });
      expect(shown.out).toMatch(/^@[0-9a-f]+ [0-9a-f]{16} cpu\/0\/env\.eip = 0x[0-9a-f]+ {2}\(RIP\)\n$/);
    }
    expect(stream('inspect', mapped).out).toMatch(
      /block microvm\.ram, 33554432 bytes: \d+ of 8192 pages, bitmap at 0x/,
    );
    // The guest stood still: only what the files say of themselves may differ.
    for (const file of [mapped, several]) {
      const diff = stream(
        'diff',
        plain,
        file,
        '--ignore',
        'configuration/capabilities',
        '--ignore',
        '@clocks',
        '--ignore',
        '@interrupts',
        '--ignore',
        'globalstate',
      );
      expect(diff.err).toBe('');
      expect(diff.out.replace(/\d+ differences were ignored\n/, '')).toBe('');
      expect(diff.code).toBe(0);
    }
  });
});
