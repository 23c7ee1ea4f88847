import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { tinyGuestFile } from '@sterna/guests/node';
import { expect, it } from 'vitest';
import { connectedPair, fdOf, PASSING, PassingClient } from '../support/passing-client.ts';
import { checkTicks } from '../support/ticks.ts';
import { delay, Vm } from '../support/vm.ts';

const KERNEL = tinyGuestFile('pvh');

/** Starts two machines with the tiny guest, moves it as `move` says, and checks that no tick is lost. */
async function moved(
  move: (source: PassingClient, destination: PassingClient, from: Vm, to: Vm) => Promise<void>,
): Promise<void> {
  await using source = await Vm.start('sterna', ['-M', 'microvm', '-m', '16', '-kernel', KERNEL, ...PASSING]);
  const args = ['-M', 'microvm', '-m', '16', '-kernel', KERNEL, '-incoming', 'defer', ...PASSING];
  await using destination = await Vm.start('sterna', args);
  const [out, into] = [await PassingClient.connect(source), await PassingClient.connect(destination)];
  await source.says(/TICK 3 /);
  await move(out, into, source, destination);
  const until = checkTicks(source.serial).count + 5;
  await destination.says(new RegExp(`TICK ${until} `));
  expect(checkTicks(source.serial + destination.serial).faults).toEqual([]);
  for (const client of [out, into]) client.close();
}

async function completed(vm: Vm): Promise<void> {
  for (;;) {
    const { status } = (await vm.qmp.executeAny('query-migrate')) as { status?: string };
    if (status === 'completed') return;
    expect(['setup', 'active', 'device']).toContain(status);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

it('moves a guest over connected sockets that a client passes by name', () =>
  moved(async (source, destination, from) => {
    const pair = await connectedPair();
    await destination.execute('getfd', { fdname: 'mig' }, [fdOf(pair[0])]);
    await source.execute('getfd', { fdname: 'mig' }, [fdOf(pair[1])]);
    for (const socket of pair) socket.destroy();
    await destination.execute('migrate-incoming', { uri: 'fd:mig' });
    await source.execute('migrate', { uri: 'fd:mig' });
    await completed(from);
    // The name went with the descriptor.
    await expect(source.execute('closefd', { fdname: 'mig' })).rejects.toThrow("named 'mig' not found");
  }));

it('moves a guest through a file that a client passes open, by name and by set', () =>
  moved(async (source, destination, from, to) => {
    const file = join(from.directory, 'stream');
    const fd = openSync(file, 'w');
    await source.execute('getfd', { fdname: 'out' }, [fd]);
    closeSync(fd);
    await source.execute('migrate', { uri: 'fd:out' });
    await completed(from);
    const reader = openSync(file, 'r');
    await destination.execute('add-fd', { 'fdset-id': 4, opaque: 'rd' }, [reader]);
    closeSync(reader);
    await destination.execute('migrate-incoming', { uri: 'file:/dev/fdset/4' });
    await to.until('the guest', ({ serial }) => serial.includes('TICK'));
    await destination.execute('remove-fd', { 'fdset-id': 4 });
  }));

it('writes behind the offset of a passed file, and says when a set serves nothing', () =>
  moved(async (source, destination, from) => {
    const file = join(from.directory, 'stream');
    writeFileSync(file, 'X'.repeat(0x3000));
    const [reader, writer] = [openSync(file, 'r'), openSync(file, 'r+')];
    const set = (await source.execute('add-fd', {}, [reader])) as { 'fdset-id': number };
    const uri = `file:/dev/fdset/${set['fdset-id']},offset=0x1000`;
    await source.execute('migrate', { uri });
    await expect
      .poll(() => from.qmp.executeAny('query-migrate'))
      .toMatchObject({ status: 'failed', 'error-desc': expect.stringContaining('was opened to write') });
    await source.execute('add-fd', { 'fdset-id': set['fdset-id'] }, [writer]);
    await source.execute('migrate', { uri });
    await completed(from);
    const bytes = readFileSync(file);
    expect(bytes.subarray(0, 0x1000).every((byte) => byte === 0x58)).toBe(true);
    expect(bytes.readUInt32BE(0x1000)).toBe(0x5145_564d);
    await destination.execute('migrate-incoming', { uri: `file:${file},offset=0x1000` });
    for (const fd of [reader, writer]) closeSync(fd);
  }));

it.each([0, 1000])('a migration that hangs is broken by yank after %i ms, and the guest runs on', async (ms) => {
  await using source = await Vm.start('sterna', ['-M', 'microvm', '-m', '16', '-kernel', KERNEL, ...PASSING]);
  const silent = createServer({ pauseOnConnect: true }).listen(join(source.directory, 'silent'));
  await source.says(/TICK 2 /);
  await source.qmp.executeAny('migrate-set-capabilities', {
    capabilities: [{ capability: 'return-path', state: true }],
  });
  await source.qmp.executeAny('migrate', { uri: `unix:${source.directory}/silent` });
  await expect.poll(() => source.qmp.executeAny('query-yank')).toContainEqual({ type: 'migration' });
  await delay(ms);
  await source.qmp.executeAny('yank', { instances: [{ type: 'migration' }] });
  await expect
    .poll(() => source.qmp.executeAny('query-migrate'))
    .toMatchObject({ status: 'failed', 'error-desc': expect.stringContaining('yank') });
  const ticks = checkTicks(source.serial).count;
  await source.says(new RegExp(`TICK ${ticks + 5} `));
  silent.close();
});
