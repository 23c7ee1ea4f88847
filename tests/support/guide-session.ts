import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { expect } from 'vitest';
import { fileOf, type GuideBlock } from './guide.ts';

const END = '@@@ block ends in';

/** A reader of a guide: types its commands into one shell and saves its files where the shell is. */
export class GuideSession implements AsyncDisposable {
  readonly #shell: ChildProcess;
  readonly #exited: Promise<unknown>;
  #cwd: string;
  #output = '';
  #notify: () => void = () => {};
  /** What the last commands have written. */
  last = '';

  constructor(cwd: string, env: NodeJS.ProcessEnv) {
    this.#cwd = cwd;
    // Job control as on a terminal; a failing command ends the session.
    this.#shell = spawn('bash', ['--norc', '-em'], { cwd, env, detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
    // What was started in the background ends with the session, also when a command fails.
    this.#shell.stdin!.write(`trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n`);
    for (const stream of [this.#shell.stdout!, this.#shell.stderr!])
      stream.on('data', (chunk: Buffer) => {
        this.#output += chunk.toString();
        this.#notify();
      });
    this.#exited = new Promise((resolve) => this.#shell.on('exit', resolve));
    void this.#exited.then(() => this.#notify());
  }

  /** Does what a block says: runs it, saves it, or compares what the commands before have written. */
  async perform(block: GuideBlock): Promise<void> {
    const { language, text, line } = block;
    const file = fileOf(block);
    if (language === 'sh') await this.#run(text, line);
    else if (language === 'output')
      for (const expected of text.trim().split('\n')) expect(this.last, `line ${line}`).toContain(expected);
    else if (file !== undefined) {
      const path = resolve(this.#cwd, file);
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, text);
    } else throw new Error(`the block at line ${line} (${language}) is neither a command nor a file`);
  }

  async #run(text: string, line: number): Promise<void> {
    const from = this.#output.length;
    this.#shell.stdin!.write(`${text}\necho "${END} $PWD"\n`);
    const end = new RegExp(`${END} (.*)\n`);
    await new Promise<void>((resolve) => {
      this.#notify = () => {
        if (this.#shell.exitCode !== null || end.test(this.#output.slice(from))) resolve();
      };
      this.#notify();
    });
    this.last = this.#output.slice(from);
    const done = end.exec(this.last);
    if (done === null) throw new Error(`the commands at line ${line} fail:\n${this.last}`);
    this.#cwd = done[1]!;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#shell.stdin!.on('error', () => {});
    this.#shell.stdin!.end('exit 0\n');
    await this.#exited;
  }
}
