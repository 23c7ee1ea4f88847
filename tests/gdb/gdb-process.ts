import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';

/** Most time that a command may take, in ms. */
const LIMIT_MS = 150_000;

/** Debian's gdb, to which commands are typed. */
export class Gdb implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  #output = '';
  #commands = 0;
  #wake: () => void = () => {};
  readonly #ended: Promise<void>;

  constructor() {
    // one stream, so that an error stands where it happened
    this.#child = spawn('sh', ['-c', 'exec gdb -nx -nh -q 2>&1'], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, LC_ALL: 'C', HOME: '/nonexistent' },
    });
    const take = (chunk: Buffer): void => {
      this.#output += chunk.toString('latin1');
      this.#wake();
    };
    this.#child.stdout.on('data', take);
    this.#child.stdin.on('error', () => {});
    this.#ended = new Promise((resolve) => this.#child.on('close', () => resolve()));
    // a loaded host takes its time to start a machine, and gdb would ask again after two seconds
    for (const setting of ['pagination off', 'confirm off', 'width 0', 'style enabled off', 'remotetimeout 60'])
      this.#type(`set ${setting}`);
  }

  #type(line: string): void {
    this.#child.stdin.write(`${line}\n`);
  }

  /** Runs commands, one after the other, and answers what gdb said. */
  async run(...lines: readonly string[]): Promise<string> {
    const number = ++this.#commands;
    const mark = `MARK-${number}-END`;
    const from = this.#output.length;
    for (const line of lines) this.#type(line);
    this.#type(`printf "MARK-%d-END\\n", ${number}`);
    const limit = Date.now() + LIMIT_MS;
    while (!this.#output.includes(mark, from)) {
      if (Date.now() > limit || this.#child.exitCode !== null)
        throw new Error(`gdb: nothing from '${lines.join('; ')}':\n${this.#output.slice(from).slice(-3000)}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 500);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.#output.slice(from, this.#output.indexOf(mark, from)).replaceAll('(gdb) ', '');
  }

  /** The value of an expression as a number. */
  async value(expression: string): Promise<bigint> {
    const text = await this.run(`output/x ${expression}`);
    const match = /0x[0-9a-f]+/.exec(text);
    if (match === null) throw new Error(`gdb: ${expression} gave '${text}'`);
    return BigInt(match[0]);
  }

  /** Ctrl-C. */
  interrupt(): void {
    this.#child.kill('SIGINT');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }
}
