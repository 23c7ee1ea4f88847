import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../..');

/** Where sources and programs of the suites are by default. */
export const CACHE: string = join(ROOT, 'node_modules/.cache/sterna/conformance');

/** An emulator that takes QEMU's command line. */
export interface Emulator {
  /** Title of its column. */
  readonly name: string;
  readonly command: readonly string[];
}

/** This project's emulator, from its sources. */
export const STERNA: Emulator = {
  name: 'Sterna',
  command: [process.execPath, '-C', '@sterna/source', join(ROOT, 'packages/cli/src/node/sterna-system.ts')],
};

/** Real QEMUs at hand: the installed one, and the newest that `tools/peers/install.sh` has fetched. */
export function qemus(): Emulator[] {
  const candidates = ['qemu-system-x86_64', join(ROOT, 'node_modules/.cache/sterna/peers/bin/qemu-newest')];
  return candidates.flatMap((path) => {
    const version = qemuVersion(path);
    return version === undefined ? [] : [{ name: `QEMU ${version}`, command: [path] }];
  });
}

/** Version of a QEMU, or undefined when the program is not there. */
export function qemuVersion(path: string): string | undefined {
  if (path.includes('/') && !existsSync(path)) return undefined;
  const { stdout } = spawnSync(path, ['--version'], { encoding: 'utf8', timeout: 20_000 });
  return /version ([\d.]+)/.exec(stdout ?? '')?.[1];
}

/** How a run of an emulator ended. */
export interface Run {
  /** Exit status; undefined when it was stopped. */
  readonly status: number | undefined;
  readonly seconds: number;
  /** Everything on standard output and standard error. */
  readonly output: string;
}

/** Control over a run while it goes on. */
export interface Watch {
  readonly seconds: number;
  /** Looks now and then whether the run has reached its end and can be stopped. */
  readonly done?: () => boolean;
}

const POLL_MS = 200;
const GRACE_MS = 3000;

/** Runs an emulator until it ends, `watch.done` says so, or its time is over. */
export function runEmulator(emulator: Emulator, args: readonly string[], watch: Watch): Promise<Run> {
  const [program, ...fixed] = emulator.command;
  const child = spawn(program!, [...fixed, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const started = performance.now();
  let output = '';
  let stopped = false;
  const keep = (chunk: Buffer): void => {
    output += chunk.toString('latin1');
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const stop = (): void => {
    if (stopped) return;
    stopped = true;
    terminate(child);
  };
  const limit = setTimeout(stop, watch.seconds * 1000);
  const poll = setInterval(() => (watch.done?.() ? stop() : undefined), POLL_MS);
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      clearTimeout(limit);
      clearInterval(poll);
    };
    child.on('error', (error) => {
      settle();
      reject(error);
    });
    child.on('close', (code) => {
      settle();
      const seconds = (performance.now() - started) / 1000;
      resolve({ status: stopped || code === null ? undefined : code, seconds, output });
    });
  });
}

/** Ends a process, first politely. */
function terminate(child: ChildProcess): void {
  child.kill('SIGTERM');
  setTimeout(() => child.kill('SIGKILL'), GRACE_MS).unref();
}
