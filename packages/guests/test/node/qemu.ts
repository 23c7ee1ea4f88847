import { type ChildProcess, spawn } from 'node:child_process';

/** A QEMU microvm whose serial port is our end of a pipe. */
export class Qemu {
  /** Everything the guest has printed, without carriage returns. */
  output = '';
  readonly #process: ChildProcess;
  readonly #ended: Promise<number | null>;

  constructor(args: readonly string[], { memory = 16, machine = 'microvm' } = {}) {
    const fixed = [
      '-M',
      machine,
      '-cpu',
      'qemu64',
      '-m',
      String(memory),
      '-nodefaults',
      '-display',
      'none',
      '-no-reboot',
    ];
    this.#process = spawn('qemu-system-x86_64', [...fixed, '-serial', 'stdio', ...args], { stdio: 'pipe' });
    const collect = (data: Buffer): void => {
      this.output += data.toString('latin1').replaceAll('\r', '');
    };
    this.#process.stdout!.on('data', collect);
    this.#process.stderr!.on('data', collect);
    this.#ended = new Promise((resolve) => {
      this.#process.on('exit', resolve);
    });
  }

  /** Waits until the output matches; the error of a timeout or an early end shows the output. */
  async waitFor(pattern: RegExp, seconds = 25): Promise<RegExpExecArray> {
    const end = Date.now() + seconds * 1000;
    for (;;) {
      const found = pattern.exec(this.output);
      if (found !== null) return found;
      if (this.#process.exitCode !== null || Date.now() > end)
        throw new Error(`no ${pattern} (exit ${this.#process.exitCode}) in:\n${this.output.slice(-2000)}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  type(text: string): void {
    this.#process.stdin!.write(text);
  }

  /** Exit code, once the process has ended by itself. */
  async exit(seconds = 25): Promise<number | null> {
    const timer = setTimeout(() => this.kill(), seconds * 1000);
    const code = await this.#ended;
    clearTimeout(timer);
    return code;
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }
}

/** Numbers of the TICK lines. */
export function ticks(output: string): number[] {
  return [...output.matchAll(/^TICK (\d+) /gm)].map((match) => Number(match[1]));
}
