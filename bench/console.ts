import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

/** A process that stands for a machine: its standard input and output are the guest's serial line. */
export class GuestConsole implements AsyncDisposable {
  readonly name: string;
  readonly child: ChildProcess;
  #text = '';
  #errors = '';
  #ended = false;
  #check: (() => void) | undefined;
  readonly #exited: Promise<void>;

  constructor(name: string, command: readonly string[]) {
    this.name = name;
    this.child = spawn(command[0]!, command.slice(1), { stdio: ['pipe', 'pipe', 'pipe'] });
    this.child.stdout!.on('data', (chunk: Buffer) => {
      this.#text += chunk.toString('latin1');
      this.#check?.();
    });
    this.child.stderr!.on('data', (chunk: Buffer) => {
      this.#errors += chunk.toString('latin1');
    });
    this.child.stdin!.on('error', () => {});
    this.#exited = new Promise((resolve) => {
      const end = (): void => {
        this.#ended = true;
        this.#check?.();
        resolve();
      };
      this.child.on('error', (error) => {
        this.#errors += error.message;
        end();
      });
      // Not 'exit': what the process wrote last may still be on its way.
      this.child.on('close', end);
    });
  }

  /** Types on the serial line. */
  type(text: string): void {
    this.child.stdin!.write(text);
  }

  /**
   * Waits for the next text that matches, and forgets everything up to its end.
   *
   * @throws Error with the end of what the guest said, when `limitSeconds` pass or the process ends
   */
  next(pattern: RegExp, limitSeconds: number): Promise<{ readonly match: RegExpExecArray; readonly at: number }> {
    return new Promise((resolve, reject) => {
      const finish = (): void => {
        clearTimeout(timer);
        this.#check = undefined;
      };
      const fail = (reason: string): void => {
        finish();
        reject(
          new Error(
            `${this.name} ${reason} before ${pattern}:\n${this.#text.slice(-1200)}${this.#errors.slice(-1200)}`,
          ),
        );
      };
      const timer = setTimeout(() => fail(`took more than ${limitSeconds} s`), limitSeconds * 1000);
      this.#check = () => {
        const match = pattern.exec(this.#text);
        if (match !== null) {
          const at = performance.now();
          this.#text = this.#text.slice(match.index + match[0].length);
          finish();
          resolve({ match, at });
        } else if (this.#ended) fail('ended');
      };
      this.#check();
    });
  }

  /** CPU seconds that the process has used; 0 when it has ended. */
  get cpuSeconds(): number {
    return existsSync(`/proc/${this.child.pid!}`) ? cpuSecondsOf(this.child.pid!) : 0;
  }

  /** Resident memory in MiB: now, and at most so far. */
  get memory(): { readonly now: number; readonly peak: number } {
    const status = readFileSync(`/proc/${this.child.pid!}/status`, 'latin1');
    const field = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) / 1024;
    return { now: field('VmRSS'), peak: field('VmHWM') };
  }

  /** Stops the process while others are measured: a machine that burns the host when it is idle. */
  pause(): void {
    this.child.kill('SIGSTOP');
  }

  /** Goes on after {@link pause}, and leaves the guest time to see that its clock has jumped. */
  async resume(): Promise<void> {
    this.child.kill('SIGCONT');
    await new Promise((resolve) => setTimeout(resolve, 300));
  }

  /** Ends the process. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) this.child.kill('SIGKILL');
    await this.#exited;
  }
}

/** CPU seconds of a process, from proc(5). */
export function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  // utime and stime, fields 14 and 15, in clock ticks of 1/100 s on Linux.
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
