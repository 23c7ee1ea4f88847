import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../support/peers.ts';

const DEVICE = `import { defineDevice, definePlugin, IrqLine, prop } from '@sterna/core';

class Doubler { last = 0; writes = 0; }

const doubler = defineDevice({
  name: 'doubler',
  bus: 'sysbus',
  description: 'Doubles what the guest writes',
  properties: { limit: prop.u32({ default: 1000, help: 'Largest result' }) },
  inject: [IrqLine],
  create: ({ limit }, irq) => Object.assign(new Doubler(), { limit, irq }),
  registers: (d) => ({
    VALUE: { offset: 0, read: () => d.last, write: (v) => { d.last = Math.min(v * 2, d.limit); d.writes++; d.irq.set(true); } },
    WRITES: { offset: 4, read: () => d.writes },
  }),
  reset: (d) => { d.last = d.writes = 0; d.irq.set(false); },
  vmstate: { name: 'doubler', version: 1, fields: ({ u32 }) => [u32('last'), u32('writes')] },
});

export default definePlugin({ name: 'doubler', devices: [doubler] });
`;

/** An empty project of somebody else: packed packages from npm, one device file, nothing of this repository. */
describe('a device outside the repository, against the packed packages', () => {
  const project = mkdtempSync(join(tmpdir(), 'sterna-outside-'));
  const program = join(project, 'node_modules/.bin/sterna-system-x86_64');

  beforeAll(() => {
    const packages = readdirSync(join(ROOT, 'packages'));
    execFileSync(
      'npm',
      ['pack', '--silent', '--pack-destination', project, ...packages.flatMap((name) => ['-w', `packages/${name}`])],
      { cwd: ROOT },
    );
    const tarballs = readdirSync(project).filter((name) => name.endsWith('.tgz'));
    expect(tarballs).toHaveLength(packages.length);
    writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'outside', private: true, type: 'module' }));
    execFileSync('npm', ['install', '--silent', '--no-audit', '--no-fund', ...tarballs.map((name) => `./${name}`)], {
      cwd: project,
    });
    writeFileSync(join(project, 'doubler.ts'), DEVICE);
  }, 300_000);
  afterAll(() => rmSync(project, { recursive: true, force: true }));

  const run = (...args: string[]) => spawnSync(program, args, { cwd: project, encoding: 'utf8', timeout: 60_000 });

  it('appears in -device help with its properties', () => {
    expect(run('--plugin', './doubler.ts', '-device', 'help').stdout).toMatch(
      /name "doubler".*Doubles what the guest writes/,
    );
    expect(run('--plugin', './doubler.ts', '-device', 'doubler,help').stdout).toMatch(
      /limit=<uint32>.*Largest result \(default: 1000\)/,
    );
  });

  it('is refused with the plugin and the reason when it does not load', () => {
    writeFileSync(join(project, 'broken.ts'), 'export default 5;\n');
    const { status, stderr } = run('--plugin', './broken.ts', '-device', 'help');
    expect(status).toBe(2);
    expect(stderr).toMatch(/broken\.ts/);
  });
});
