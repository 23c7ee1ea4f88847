import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PackedRegistry } from '../support/registry.ts';

/** The device kind is made by the tutorial's own test. */
describe('npm create sterna-plugin, in an empty folder against the packed packages', () => {
  let registry: PackedRegistry;
  beforeAll(async () => {
    registry = await PackedRegistry.start();
  }, 300_000);
  afterAll(() => registry?.[Symbol.asyncDispose](), 60_000);

  it.each(['block-driver', 'cpu', 'instrumentation'])('%s: compiles, and its tests are green at once', async (kind) => {
    const created = await registry.run(`npm create sterna-plugin@latest my-${kind} -- --kind ${kind} --name blink-led`);
    expect(created).toMatchObject({ status: 0 });
    const folder = join(registry.folder, `my-${kind}`);
    expect(await registry.run('npm install', folder)).toMatchObject({ status: 0 });
    expect(await registry.run('npm run types', folder)).toMatchObject({ status: 0 });
    const { status, output } = await registry.run('npm test', folder);
    expect(output).toMatch(/pass [1-9]\d*\n.*fail 0\n/s);
    expect(status).toBe(0);
    expect(await registry.run('npm pack --dry-run', folder)).toMatchObject({
      status: 0,
      output: expect.stringMatching(/dist\/index\.d\.ts/),
    });
  });
});
