import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { QmpClient } from '@sterna/qmp';
import { connectQmp } from '@sterna/qmp/node';

const COMMAND = join(import.meta.dirname, '../../packages/cli/bin/sterna-system-x86_64');

/** A machine in a process of its own, its serial line on the process's standard output. */
export class MachineProcess {
  readonly name: string;
  readonly startedAt: number = performance.now();
  /** Everything the guest has written. */
  serial = '';
  /** What the process wrote on stderr. */
  errors = '';
  /** Called with what the guest writes. */
  onSerial: (text: string) => void = () => {};
  readonly #child: ChildProcess;
  readonly #socket: string;
  #code: number | string | undefined;

  constructor(name: string, directory: string, args: readonly string[]) {
    this.name = name;
    this.#socket = join(directory, `${name}.qmp`);
    const control = [
      '-nodefaults',
      '-display',
      'none',
      '-serial',
      'stdio',
      '-qmp',
      `unix:${this.#socket},server=on,wait=off`,
    ];
    this.#child = spawn(COMMAND, [...args, ...control], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child.stdout!.on('data', (chunk: Buffer) => {
      const text = chunk.toString('latin1');
      this.serial += text;
      this.onSerial(text);
    });
    this.#child.stderr!.on('data', (chunk: Buffer) => {
      this.errors += chunk.toString('utf8');
    });
    this.#child.on('close', (code, signal) => {
      this.#code = code ?? signal ?? 'unknown';
    });
  }

  /** Waits until `condition` holds. @throws Error with what was last seen, when the process ends or `limitMs` pass. */
  async until(what: string, condition: () => boolean, limitMs: number): Promise<void> {
    const end = performance.now() + limitMs;
    while (!condition()) {
      const gone = this.#code !== undefined;
      if (gone || performance.now() > end) {
        const reason = gone ? `ended with ${this.#code}` : `did nothing for ${limitMs / 1000} s`;
        throw new Error(
          `the ${this.name} ${reason} while waiting for ${what}\n${this.errors}${this.serial.slice(-1000)}`,
        );
      }
      await delay(5);
    }
  }

  /** Connects to the machine's QMP socket. */
  async connect(): Promise<QmpClient> {
    await this.until('its QMP socket', () => existsSync(this.#socket), 30_000);
    return connectQmp(this.#socket, { timeoutMs: 20_000 });
  }

  /** Ends the process, and waits for the last of its output. */
  async end(): Promise<void> {
    if (this.#code === undefined) this.#child.kill('SIGTERM');
    const end = performance.now() + 5000;
    while (this.#code === undefined && performance.now() < end) await delay(5);
    if (this.#code === undefined) this.#child.kill('SIGKILL');
  }
}

/** Waits. */
export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
