import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { guideBlocks } from '../support/guide.ts';
import { GuideSession } from '../support/guide-session.ts';
import { missing, ROOT } from '../support/peers.ts';
import { PackedRegistry } from '../support/registry.ts';

let registry: PackedRegistry;
beforeAll(async () => {
  registry = await PackedRegistry.start();
}, 300_000);
afterAll(() => registry?.[Symbol.asyncDispose](), 60_000);

/** Blocks for a Debian guest take half a minute of emulation and are for the long run. */
const LONG = process.env['STERNA_LONG'] === '1' && missing({ apt: true }) === '';

/** The counts that a guest has printed. */
const counts = (text: string): number[] => text.trim().split('\n').map(Number);

it('the tutorial "write a device" works from an empty folder, as it stands', async () => {
  await using session = new GuideSession(registry.folder, registry.env);
  const outputs: string[] = [];
  for (const block of guideBlocks(join(ROOT, 'docs/guide/write-a-device.md'))) {
    if (block.marks.includes('debian') && !LONG) continue;
    await session.perform(block);
    if (block.language === 'sh') outputs.push(session.last);
  }
  const { output } = await registry.run('cat here.txt there.txt', join(registry.folder, 'blink-led'));
  const all = counts(output);
  expect(all.length).toBeGreaterThan(15);
  // Neither lost nor counted twice, across the move.
  expect(all).toEqual(Array.from(all, (_, i) => i + 1));
  if (LONG) expect(outputs.at(-1)).toMatch(/blinks: 0x0*[1-9A-F]/);
}, 600_000);
