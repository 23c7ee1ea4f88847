import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT } from '../support/peers.ts';

/** Every machine of `machines/` starts, and ends when it is told to. Their types are checked with the tools'. */
it.each(readdirSync(join(ROOT, 'machines')).filter((name) => name.endsWith('.config.ts')))('%s runs', async (name) => {
  const runtime = mkdtempSync(join(tmpdir(), 'sterna-machines-'));
  const machine = spawn(
    join(ROOT, 'node_modules/.bin/sterna'),
    ['run', join(ROOT, 'machines', name), '--name', `sample-${process.pid}`, '--serial', 'null', '--json'],
    { env: { ...process.env, XDG_RUNTIME_DIR: runtime }, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  try {
    const [line] = (await once(machine.stdout, 'data')) as [Buffer];
    expect(JSON.parse(line.toString())).toMatchObject({ pid: expect.any(Number) });
    const ended = once(machine, 'exit');
    machine.kill('SIGTERM');
    expect((await ended)[0]).toBe(0);
  } finally {
    machine.kill('SIGKILL');
    rmSync(runtime, { recursive: true });
  }
});
