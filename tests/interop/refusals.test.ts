import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { tinyGuestFile } from '@sterna/guests/node';
import { describe, expect, it } from 'vitest';
import { missing, ROOT } from '../support/peers.ts';
import { migrate, PROGRAMS, type ProgramName, Vm } from '../support/vm.ts';

const reason = missing({ programs: ['qemu-system-x86_64', PROGRAMS['qemu-new']] });
const kernel = ['-kernel', tinyGuestFile('pvh'), '-append', 'tick=20 rate=5 work=4'];
const machine = (size = 32, type = 'microvm,acpi=off') => ['-M', type, '-m', String(size), ...kernel];

/** Number of the last tick. */
function tick(vm: Vm): number {
  return Number([...vm.serial.matchAll(/TICK (\d+) /g)].at(-1)?.[1] ?? 0);
}

/** The guest goes on without a finding. */
async function runsOn(vm: Vm): Promise<void> {
  const seen = tick(vm);
  await vm.until('more ticks', () => tick(vm) > seen + 3);
  expect(vm.serial).not.toContain('BAD');
  expect(await vm.qmp.executeAny('query-status')).toMatchObject({ running: true });
}

async function sterna(...args: string[]): Promise<{ code: number | null; text: string }> {
  const child = spawn(join(ROOT, 'node_modules/.bin/sterna'), args);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const code = await new Promise<number | null>((resolve) => child.on('exit', resolve));
  return { code, text };
}

/** A second monitor: the first one has its client. */
const monitor = (directory: string, name: string) => ['-qmp', `unix:${join(directory, name)},server=on,wait=off`];

describe.skipIf(reason !== '')(`a QEMU that refuses a guest ${reason}`, () => {
  it.each(['qemu-7.2', 'qemu-new'] as const)(
    '%s does not end ours, and a check tells before',
    async (peer: ProgramName) => {
      await using directory = await Vm.start('sterna', ['-M', 'microvm,acpi=off', '-S']);
      await using source = await Vm.start('sterna', [...machine(), ...monitor(directory.directory, 's')]);
      await source.says('TICK 3 ');
      for (const [i, wrong] of [machine(64), machine(32, 'microvm,acpi=off,rtc=off')].entries()) {
        await using destination = await Vm.start(peer, [
          ...wrong,
          '-incoming',
          'defer',
          ...monitor(directory.directory, `d${i}`),
        ]);
        const check = await sterna(
          'migrate',
          join(directory.directory, 's'),
          '--check',
          '--to',
          join(directory.directory, `d${i}`),
        );
        expect(check.code).toBe(3);
        expect(check.text).toMatch(
          i === 0 ? /blocker +memory +.*use -m 32/ : /blocker +devices +the guest has a mc146818rtc/,
        );
        if (i === 0) {
          const monitors = ['s', 'd0'].map((name) => join(directory.directory, name));
          const moved = await sterna('migrate', monitors[0]!, '--to', 'unix:/never', '--destination', monitors[1]!);
          expect(moved.text).toMatch(/the destination would refuse the guest: memory: .*use -m 32/);
          expect(moved.code).toBe(3);
          await runsOn(source);
        }
        // Without it a source cannot hear that what it has sent was refused.
        const capabilities = [{ capability: 'return-path', state: true }];
        for (const vm of [source, destination]) await vm.qmp.executeAny('migrate-set-capabilities', { capabilities });
        const outcome = await migrate(source, destination, `unix:${destination.directory}/m`);
        expect(outcome.status).toBe('failed');
        // A QEMU that refuses ends, 7.2 without a word. When it had everything by then, nobody here can know that it does not
        // run the guest: whoever sees that it has gone takes the guest back.
        const { status } = (await source.qmp.executeAny('query-status')) as { status: string };
        if (i === 1 && status === 'postmigrate') {
          expect(await destination.exited).toBe(1);
          await source.qmp.executeAny('cont');
        }
        await runsOn(source);
      }
      const named = await sterna(
        'migrate',
        join(directory.directory, 's'),
        '--check',
        '--to',
        peer === 'qemu-7.2' ? peer : 'qemu-11.1',
      );
      expect(named.text).toMatch(/nothing forbids a migration from Sterna/);
      expect(named.code).toBe(0);
    },
  );
});

describe.skipIf(reason !== '')(`the firmware's size ${reason}`, () => {
  it("is the source's, whichever QEMU that is, and the trace has both sides", async () => {
    await using directory = await Vm.start('sterna', ['-M', 'microvm,acpi=off', '-S']);
    for (const peer of ['qemu-7.2', 'qemu-new'] as const) {
      const args = (name: string) => [...machine(32, 'microvm'), ...monitor(directory.directory, name)];
      await using source = await Vm.start(peer, args(`s${peer}`));
      await source.says('TICK 3 ');
      await using destination = await Vm.start('sterna', [...args(`d${peer}`), '-incoming', 'defer']);
      const [from, to] = [join(directory.directory, `s${peer}`), join(directory.directory, `d${peer}`)];
      const check = await sterna('migrate', from, '--check', '--to', to);
      expect(check.code).toBe(0);
      expect((await migrate(source, destination, `unix:${destination.directory}/m`)).status).toBe('completed');
      await runsOn(destination);
      if (peer === 'qemu-7.2') continue;
      // And on to a Sterna, which takes the same size again; both sides write what they did.
      await using last = await Vm.start('sterna', [...args('last'), '-incoming', `unix:${directory.directory}/m`]);
      const trace = join(directory.directory, 'trace');
      const moved = await sterna(
        'migrate',
        to,
        '--to',
        `unix:${directory.directory}/m`,
        '--destination',
        join(directory.directory, 'last'),
        '--trace',
        trace,
      );
      expect(moved.text).toMatch(/migration completed/);
      expect(moved.code).toBe(0);
      await runsOn(last);
      const report = await sterna('report', trace, `${trace}.destination`, '--html', `${trace}.html`);
      expect(report).toEqual({ code: 0, text: '' });
      expect(readFileSync(`${trace}.html`, 'utf8')).toContain('until it ran on at the destination');
    }
  });
});
