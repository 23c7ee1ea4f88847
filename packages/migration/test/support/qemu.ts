/** A real QEMU with the tiny guest of ../shared, for tests against a peer. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import net from 'node:net';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const asm = fileURLToPath(new URL('../../../../../shared/golden/tiny.asm', import.meta.url));
const missing = ['qemu-system-x86_64', 'nasm'].filter(
  (name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0,
);
if (!existsSync(asm)) missing.push('../shared');

/** Why QEMU cannot be used here, or undefined. In CI its absence is a failure. */
export const qemuMissing: string | undefined = missing.length === 0 ? undefined : `not here: ${missing.join(', ')}`;
if (qemuMissing !== undefined && process.env['CI']) throw new Error(qemuMissing);

/** Assembles the guest as a firmware image. */
export function assembleGuest(path: string): void {
  const { status, stderr } = spawnSync('nasm', ['-w-all', '-f', 'bin', '-DFORM_ROM', '-o', path, asm], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
}

/** A running QEMU: `-M microvm,acpi=off -m 8` with the guest as its firmware. */
export class Qemu {
  readonly #child: ChildProcess;
  readonly #serial: string;
  readonly #qmp: string;
  #lines: Interface | undefined;
  #socket: net.Socket | undefined;

  constructor(directory: string, name: string, incoming: boolean) {
    this.#serial = `${directory}/${name}.serial`;
    this.#qmp = `${directory}/${name}.qmp`;
    const args = [
      '-accel',
      'tcg',
      '-M',
      'microvm,acpi=off',
      '-nodefaults',
      '-display',
      'none',
      '-cpu',
      'qemu64',
      '-m',
      '8',
      '-bios',
      `${directory}/tiny.rom`,
    ];
    const channels = ['-serial', `file:${this.#serial}`, '-qmp', `unix:${this.#qmp},server=on,wait=off`];
    this.#child = spawn('qemu-system-x86_64', [...args, ...channels, ...(incoming ? ['-incoming', 'defer'] : [])], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
  }

  /** Text the guest has printed. */
  get serial(): string {
    return existsSync(this.#serial) ? readFileSync(this.#serial, 'latin1') : '';
  }

  /** Runs a QMP command. */
  async command(execute: string, args?: Record<string, unknown>): Promise<unknown> {
    if (this.#socket === undefined) await this.#connect();
    const answer = this.#answer();
    this.#socket!.write(`${JSON.stringify({ execute, ...(args === undefined ? {} : { arguments: args }) })}\n`);
    return answer;
  }

  async #connect(): Promise<void> {
    for (;;) {
      const socket = net.connect(this.#qmp);
      const connected = await new Promise<boolean>((resolve) => {
        socket.once('connect', () => resolve(true));
        socket.once('error', () => resolve(false));
      });
      if (connected) {
        this.#socket = socket;
        break;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    this.#lines = createInterface(this.#socket);
    await this.command('qmp_capabilities');
  }

  #answer(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const look = (line: string) => {
        const message = JSON.parse(line) as { return?: unknown; error?: { desc: string } };
        if (message.return === undefined && message.error === undefined) return;
        this.#lines!.off('line', look);
        if (message.error) reject(new Error(message.error.desc));
        else resolve(message.return);
      };
      this.#lines!.on('line', look);
    });
  }

  /** Ends the process. */
  kill(): void {
    this.#socket?.destroy();
    this.#child.kill('SIGKILL');
  }
}
