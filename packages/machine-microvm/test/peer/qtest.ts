import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface, type Interface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

const PROGRAM = '/usr/bin/qemu-system-x86_64';
const SCRATCH = { request: 0x1f_0000, data: 0x20_0000 };

/** Why peer tests cannot run, or an empty text. In CI a missing peer is a failure, not a skip. */
export function missingPeer(): string {
  if (existsSync(PROGRAM)) return '';
  if (process.env['CI'] !== undefined) throw new Error(`${PROGRAM} is not installed; run tools/peers/install.sh`);
  return `skipped: ${PROGRAM} is not installed`;
}

/** A stopped QEMU whose ports and memory are accessed through its qtest protocol. */
export class QtestPeer implements AsyncDisposable {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;

  constructor(args: readonly string[]) {
    const fixed = ['-accel', 'tcg', '-qtest', 'stdio', '-display', 'none', '-nodefaults', '-S'];
    this.#child = spawn(PROGRAM, [...fixed, ...args], { stdio: ['pipe', 'pipe', 'ignore'] });
    this.#reader = createInterface(this.#child.stdout);
    this.#lines = this.#reader[Symbol.asyncIterator]();
  }

  async #command(text: string): Promise<string> {
    this.#child.stdin.write(`${text}\n`);
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (done === true) throw new Error(`QEMU ended at '${text}'`);
      if (value.startsWith('OK')) return value.slice(3);
    }
  }

  /** Reads a firmware item by DMA; behind its end are zeros. */
  async readFwCfg(key: number, length: number): Promise<Uint8Array> {
    const request = Buffer.alloc(16);
    request.writeUInt32BE(key * 0x1_0000 + 0x0a, 0);
    request.writeUInt32BE(length, 4);
    request.writeUInt32BE(SCRATCH.data, 12);
    await this.#command(`write 0x${SCRATCH.request.toString(16)} 16 0x${request.toString('hex')}`);
    await this.#command('outl 0x514 0x0');
    const swapped = Buffer.alloc(4);
    swapped.writeUInt32BE(SCRATCH.request);
    await this.#command(`outl 0x518 0x${swapped.readUInt32LE().toString(16)}`);
    if (length === 0) return new Uint8Array(0);
    const answer = await this.#command(`read 0x${SCRATCH.data.toString(16)} ${length}`);
    return new Uint8Array(Buffer.from(answer.slice(2), 'hex'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#reader.close();
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await ended;
  }
}
