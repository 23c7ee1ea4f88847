/** Real QEMUs, as many as a scenario wants. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { assembleGuest } from '../support/qemu.ts';
import type { Bench, Side, Start } from './scenarios.ts';

const newest = fileURLToPath(new URL('../../../../node_modules/.cache/sterna/peers/bin/qemu-newest', import.meta.url));

/** Programs by the name of their record, as far as they are here and are that version. */
export const QEMUS: readonly (readonly [name: string, program: string])[] = (
  [
    ['qemu-7.2', 'qemu-system-x86_64', '7.2'],
    ['qemu-11.1', newest, '11.1'],
  ] as const
).flatMap(([name, program, version]) => {
  const { stdout } = spawnSync(program, ['--version'], { encoding: 'utf8' });
  return stdout?.includes(`version ${version}`) === true ? [[name, program] as const] : [];
});

/** A boot sector that goes to ACPI's S3, as the PIIX4 of machine `pc` has it. */
const SLEEPER = [0xfa, 0xba, 0x04, 0x06, 0xb8, 0x00, 0x24, 0xef, 0xf4, 0xeb, 0xfd];

const TOLD = ['STOP', 'RESUME', 'SUSPEND', 'WAKEUP'];

class QemuSide implements Side {
  readonly events: string[] = [];
  readonly #child: ChildProcess;
  #socket: net.Socket | undefined;
  #answers: ((answer: { return?: unknown; error?: { desc: string } }) => void)[] = [];

  constructor(program: string, args: readonly string[]) {
    this.#child = spawn(program, args, { stdio: 'ignore' });
  }

  async connect(path: string): Promise<void> {
    while (this.#socket === undefined) {
      const socket = net.connect(path);
      const connected = await new Promise<boolean>((resolve) => {
        socket.once('connect', () => resolve(true));
        socket.once('error', () => resolve(false));
      });
      if (connected) this.#socket = socket;
      else await new Promise((resolve) => setTimeout(resolve, 30));
    }
    this.#socket.on('error', () => {});
    createInterface(this.#socket).on('line', (line) => this.#line(line));
    await this.command('qmp_capabilities');
    await this.command('migrate-set-capabilities', { capabilities: [{ capability: 'events', state: true }] });
  }

  #line(line: string): void {
    const message = JSON.parse(line) as {
      QMP?: unknown;
      event?: string;
      data?: { status: string };
      return?: unknown;
      error?: { desc: string };
    };
    if (message.event === 'MIGRATION') this.events.push(message.data!.status);
    else if (message.event !== undefined) {
      if (TOLD.includes(message.event)) this.events.push(message.event);
    } else if (message.QMP === undefined) this.#answers.shift()?.(message);
  }

  async command(execute: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    const answer = new Promise<{ return?: unknown; error?: { desc: string } }>((resolve) =>
      this.#answers.push(resolve),
    );
    this.#socket!.write(`${JSON.stringify({ execute, arguments: args })}\n`);
    const { error, return: result } = await answer;
    if (error !== undefined) throw new Error(error.desc);
    return result;
  }
  async runState(): Promise<string> {
    return ((await this.command('query-status')) as { status: string }).status;
  }
  kill(): void {
    this.#child.kill('SIGKILL');
    this.#socket?.destroy();
  }
}

/** Makes QEMUs in a directory; `close` ends them all. */
export function qemuBench(program: string, directory: string): Bench & { close(): void } {
  const sides: QemuSide[] = [];
  if (!existsSync(`${directory}/tiny.rom`)) assembleGuest(`${directory}/tiny.rom`);
  const sector = new Uint8Array(512);
  sector.set(SLEEPER);
  sector.set([0x55, 0xaa], 510);
  writeFileSync(`${directory}/sleeper.img`, sector);
  return {
    async start(name, { incoming, paused, sleeper }: Start) {
      const machine = sleeper
        ? ['-M', 'pc', '-L', '/usr/share/seabios', '-drive', `format=raw,snapshot=on,file=${directory}/sleeper.img`]
        : ['-M', 'microvm,acpi=off', '-bios', `${directory}/tiny.rom`];
      const qmp = `${directory}/${name}.qmp`;
      const common = ['-accel', 'tcg', '-nodefaults', '-display', 'none', '-m', '64'];
      const args = [...machine, ...common, '-qmp', `unix:${qmp},server=on,wait=off`];
      if (paused === true) args.push('-S');
      if (incoming === true) args.push('-incoming', 'defer');
      const side = new QemuSide(program, args);
      sides.push(side);
      await side.connect(qmp);
      return side;
    },
    uri: (name) => `unix:${directory}/${name}`,
    close() {
      for (const side of sides) side.kill();
    },
  };
}
