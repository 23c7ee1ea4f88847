import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../../../..');
/** The installed commands. */
export const BIN = join(ROOT, 'node_modules/.bin');
/** A machine without instructions, as a plugin. */
export const TOY = join(import.meta.dirname, '../fixtures/toy-machine.ts');

/** A command under test. */
export interface Running {
  readonly child: ChildProcess;
  out: string;
  err: string;
  /** Exit code, or the signal's name. */
  code: number | string | undefined;
}

/** Starts and cleans up commands in a directory of their own. */
export class Workshop {
  readonly directory: string = mkdtempSync(join(tmpdir(), 'sterna-cli-'));
  readonly #running: Running[] = [];

  path(name: string): string {
    return join(this.directory, name);
  }

  start(program: string, args: readonly string[], environment: Readonly<Record<string, string>> = {}): Running {
    const child = spawn(join(BIN, program), args, {
      cwd: this.directory,
      stdio: 'pipe',
      env: { ...process.env, XDG_RUNTIME_DIR: this.directory, ...environment },
    });
    const running: Running = { child, out: '', err: '', code: undefined };
    child.stdout?.on('data', (chunk: Buffer) => {
      running.out += chunk.toString('latin1');
    });
    child.stderr?.on('data', (chunk: Buffer) => {
      running.err += chunk.toString('latin1');
    });
    child.on('close', (code, signal) => {
      running.code = code ?? signal ?? 'unknown';
    });
    this.#running.push(running);
    return running;
  }

  /** Runs a toy machine. */
  toy(...args: string[]): Running {
    return this.start('sterna-system-x86_64', ['--plugin', TOY, '-M', 'toy', '-nodefaults', ...args]);
  }

  /** Runs a command to its end. */
  async run(program: string, ...args: string[]): Promise<Running> {
    const running = this.start(program, args);
    await until(() => running.code !== undefined, running);
    return running;
  }

  dispose(): void {
    for (const { child, code } of this.#running) if (code === undefined) child.kill('SIGKILL');
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Waits until `condition` holds. The limit counts only while this process runs. */
export async function until(condition: () => boolean, running?: Running, limitMs = 15_000): Promise<void> {
  for (let left = limitMs; !condition(); left -= 10) {
    if (left <= 0) throw new Error(`timed out; exit ${running?.code}, stdout ${running?.out}, stderr ${running?.err}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
