import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { tinyGuestFile } from '@sterna/guests/node';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../support/peers.ts';
import { last, ticks } from '../support/snapshot-vm.ts';
import { Vm } from '../support/vm.ts';

const GUEST = ['-M', 'microvm', '-m', '24', '-kernel', tinyGuestFile('pvh'), '-append', 'tick=10 rate=20 work=8'];
/** A link on which the guest never converges by itself. */
const HOPELESS = ['--max-bandwidth', '2M', '--max-downtime', '1ms'];

interface Result {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function sterna(...args: string[]): Promise<Result> {
  const child = spawn(join(ROOT, 'node_modules/.bin/sterna'), args);
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk) => {
    out += chunk;
  });
  child.stderr.on('data', (chunk) => {
    err += chunk;
  });
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, out, err })));
}

/** A guest that runs, a second QMP socket of its machine, and a machine that waits for it. */
async function pair(run: (source: Vm, socket: string, destination: Vm, uri: string) => Promise<void>): Promise<void> {
  const socket = `/tmp/sterna-goals-${process.pid}-${Math.random().toString(36).slice(2)}`;
  const uri = `unix:${socket}.m`;
  await using source = await Vm.start('sterna', [...GUEST, '-qmp', `unix:${socket},server=on,wait=off`]);
  await using destination = await Vm.start('sterna', [...GUEST, '-incoming', uri]);
  await source.until('ticks', () => ticks(source).length > 5);
  await run(source, socket, destination, uri);
}

describe('sterna migrate of a guest that writes faster than the link', () => {
  it('cancels at the deadline: exit 4, and the guest runs on here', async () => {
    await pair(async (source, socket, _destination, uri) => {
      const started = performance.now();
      const result = await sterna('migrate', socket, '--to', uri, ...HOPELESS, '--deadline', '3s', '--json');
      expect(result.code).toBe(4);
      expect(JSON.parse(result.out)).toMatchObject({
        uri,
        status: 'cancelled',
        'error-desc': expect.stringContaining('not converged within its deadline of 3000 ms'),
      });
      expect(result.err).toBe('');
      expect(performance.now() - started).toBeGreaterThan(3000);
      const before = last(source);
      await source.until('ticks', () => last(source) > before + 10);
      expect(source.serial).not.toContain('BAD');
    });
  });

  it('pauses and moves it at the deadline: exit 0, and it runs on there', async () => {
    await pair(async (source, socket, destination, uri) => {
      const goals = [...HOPELESS, '--deadline', '3s', '--on-timeout', 'pause'];
      const result = await sterna('migrate', socket, '--to', uri, ...goals);
      expect(result.err).toMatch(/^migration completed in \d+ ms, .* downtime \d+ ms\n$/);
      expect([result.code, result.out]).toEqual([0, '']);
      await destination.until('ticks', () => ticks(destination).length > 10);
      expect(ticks(destination)[0]).toBe(last(source) + 1);
      expect(destination.serial).not.toContain('BAD');
    });
  });

  it('says 5 when the source is lost on the way', async () => {
    await pair(async (source, socket, _destination, uri) => {
      const result = sterna('migrate', socket, '--to', uri, ...HOPELESS, '--json');
      await source
        .until('the migration', ({ events }) => events.some(({ event }) => event === 'MIGRATION_PASS'), 3000)
        .catch(() => {});
      source.child.kill('SIGKILL');
      expect(await result).toMatchObject({ code: 5, err: expect.stringContaining('the source was lost') });
      expect(JSON.parse((await result).out)).toMatchObject({ code: 'STERNA_ERR_OWNERSHIP_UNKNOWN' });
    });
  });

  it.each([
    [['--deadline', 'soon'], /--deadline: 'soon' is no time/],
    [['--deadline', '0'], /takes some time/],
    [['--on-timeout', 'pause'], /--on-timeout needs --deadline/],
    [['--deadline', '1s', '--on-timeout', 'postcopy'], /postcopy has not landed yet/],
    [['--deadline', '1s', '--on-timeout', 'explode'], /neither cancel nor pause/],
    [['--max-downtime', '1d'], /'1d' is no time/],
  ])('refuses %j as wrong usage: exit 2', async (args, message) => {
    const result = await sterna('migrate', '/nowhere/socket', '--to', 'unix:x', ...args);
    expect(result.err).toMatch(message);
    expect(result.code).toBe(2);
  });
});
