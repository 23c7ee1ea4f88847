import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { until } from '../../chardev/recorder.ts';

const ECHO = fileURLToPath(new URL('./stdio-echo.ts', import.meta.url));

function start() {
  const child = spawn(process.execPath, ['-C', '@sterna/source', ECHO], { stdio: ['pipe', 'pipe', 'inherit'] });
  const run = { child, text: '', code: undefined as number | null | undefined };
  child.stdout.on('data', (chunk: Buffer) => {
    run.text += chunk.toString('latin1');
  });
  child.on('exit', (code) => {
    run.code = code;
  });
  return run;
}

it('echoes, and goes on when stdin ends', async () => {
  const run = start();
  await until(() => run.text.includes('ready\n'));
  run.child.stdin.end('abc');
  await until(() => run.text.includes('abc') && run.text.includes('[closed]'));
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(run.code).toBeUndefined();
  run.child.kill('SIGTERM');
  await until(() => run.code !== undefined);
  expect(run.code).toBe(0);
  expect(run.text).toContain('[bye]');
});

it('does not hang at exit when nobody reads its output', async () => {
  const run = start();
  await until(() => run.text.includes('ready\n'));
  run.child.stdout.removeAllListeners('data');
  run.child.stdout.pause();
  run.child.stdin.write('!');
  await new Promise((resolve) => setTimeout(resolve, 300));
  run.child.kill('SIGTERM');
  await until(() => run.code !== undefined);
  expect(run.code).toBe(0);
});
