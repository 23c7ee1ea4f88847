import { join } from 'node:path';
import { afterAll, beforeAll, it } from 'vitest';
import { guideBlocks } from '../support/guide.ts';
import { GuideSession } from '../support/guide-session.ts';
import { ROOT } from '../support/peers.ts';
import { PackedRegistry } from '../support/registry.ts';

let registry: PackedRegistry;
beforeAll(async () => {
  registry = await PackedRegistry.start();
}, 300_000);
afterAll(() => registry?.[Symbol.asyncDispose](), 60_000);

it('the guide "make it migrate" works from an empty folder, as it stands', async () => {
  await using session = new GuideSession(registry.folder, registry.env);
  for (const block of guideBlocks(join(ROOT, 'docs/guide/make-it-migrate.md'))) await session.perform(block);
}, 900_000);
