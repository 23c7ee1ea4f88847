import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tinyGuestFile } from '@sterna/guests/node';
import { expect, it } from 'vitest';
import { ROOT } from '../support/peers.ts';
import { ticks } from '../support/snapshot-vm.ts';
import { delay, Vm } from '../support/vm.ts';

const GUEST = ['-M', 'microvm', '-m', '24', '-kernel', tinyGuestFile('pvh'), '-append', 'tick=10 rate=20 work=8'];

/** The guide's plugin as a file from which `@sterna/core` is found. */
function guidePlugin(): { readonly path: string; readonly directory: string } {
  const text = readFileSync(join(ROOT, 'docs/guide/migration-policy.md'), 'utf8');
  const code = /```ts\n(.*?)```/s.exec(text)![1]!;
  const directory = mkdtempSync(join(tmpdir(), 'sterna-guide-'));
  symlinkSync(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
  const path = join(directory, 'patient-policy.ts');
  writeFileSync(path, code);
  return { path, directory };
}

it.each([
  ['moves with a longer pause when time goes on', 60_000, 'completed'],
  ['stays when the longest pause does not help', 100, 'cancelled'],
])("the guide's policy: a guest that never converges %s", async (_what, max, expected) => {
  const { path, directory } = guidePlugin();
  try {
    const policy = ['-plugin', path, '-device', `patient-policy,step-ms=500,max-ms=${max}`];
    await using source = await Vm.start('sterna', [...GUEST, ...policy]);
    const uri = `unix:${source.directory}/m`;
    await using destination = await Vm.start('sterna', [...GUEST, ...policy, '-incoming', uri]);
    await source.until('ticks', () => ticks(source).length > 5);
    await source.qmp.executeAny('migrate-set-parameters', { 'max-bandwidth': 2 ** 21, 'downtime-limit': 1 });
    await source.qmp.executeAny('migrate', { uri });
    let info: { status?: string; 'error-desc'?: string } = {};
    while (!['completed', 'failed', 'cancelled'].includes(info.status ?? '')) {
      await delay(50);
      info = (await source.qmp.executeAny('query-migrate')) as typeof info;
    }
    expect(info.status).toBe(expected);
    if (expected === 'cancelled') expect(info['error-desc']).toBe('not even a pause of 100 ms was enough');
    const where = expected === 'completed' ? destination : source;
    const before = ticks(where).length;
    await where.until('ticks', () => ticks(where).length > before + 10);
    expect(where.serial).not.toContain('BAD');
  } finally {
    rmSync(directory, { recursive: true });
  }
});
