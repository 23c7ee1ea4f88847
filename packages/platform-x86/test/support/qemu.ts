import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';

/** QEMU programs on this machine. */
export function findQemus(): string[] {
  const local = new URL('../../../../node_modules/.cache/sterna/peers/bin/qemu-newest', import.meta.url).pathname;
  const onPath = (process.env['PATH'] ?? '').split(delimiter).map((dir) => join(dir, 'qemu-system-x86_64'));
  return [onPath.find((path) => existsSync(path)), existsSync(local) ? local : undefined].filter(
    (path) => path !== undefined,
  );
}

/** True for QEMU before 8. */
export function isOld(program: string): boolean {
  const version = /version (\d+)/.exec(spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout ?? '')?.[1];
  return Number(version) < 8;
}

/** A stopped QEMU whose ports and memory can be read and written, and whose state can be saved. */
export class StoppedQemu {
  readonly #child: ChildProcess;
  readonly #folder = mkdtempSync(join(tmpdir(), 'sterna-qemu-'));
  readonly #answers: ((line: string) => void)[] = [];
  #stderr = '';

  /** @param incoming Stream that the machine starts from. */
  constructor(program: string, args: readonly string[], incoming?: Uint8Array) {
    const options = [
      '-accel',
      'tcg',
      '-S',
      '-qtest',
      'stdio',
      '-qtest-log',
      '/dev/null',
      '-display',
      'none',
      '-nodefaults',
    ];
    const qmp = ['-qmp', `unix:${join(this.#folder, 'qmp')},server=on,wait=off`];
    const source = join(this.#folder, 'incoming');
    if (incoming !== undefined) writeFileSync(source, incoming);
    const from = incoming === undefined ? [] : ['-incoming', `exec:cat ${source}`];
    this.#child = spawn(program, [...options, ...qmp, ...from, ...args], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.stderr!.on('data', (data: Buffer) => {
      this.#stderr += data.toString();
    });
    createInterface({ input: this.#child.stdout! }).on('line', (line) => this.#answers.shift()?.(line));
    this.#child.on('exit', () => {
      for (const answer of this.#answers.splice(0)) answer(`FAIL QEMU ended: ${this.#stderr}`);
    });
  }

  /** Runs one qtest command. */
  command(text: string): Promise<string> {
    return new Promise((resolve) => {
      this.#answers.push(resolve);
      this.#child.stdin!.write(`${text}\n`);
    });
  }

  /** Waits until the incoming stream is loaded. */
  async loaded(): Promise<void> {
    const monitor = await this.#monitor();
    for (;;) {
      const { status } = (await monitor.run('query-status')) as { status: string };
      if (status !== 'inmigrate') break;
      await pause();
    }
    monitor.close();
  }

  /** Saves the machine and answers the stream. */
  async save(): Promise<Uint8Array> {
    const file = join(this.#folder, 'stream');
    const monitor = await this.#monitor();
    await monitor.run('migrate', { uri: `exec:cat > ${file}` });
    for (;;) {
      const { status } = (await monitor.run('query-migrate')) as { status?: string };
      if (status === 'completed') break;
      if (status === 'failed') throw new Error(`QEMU cannot save: ${this.#stderr}`);
      await pause();
    }
    monitor.close();
    return readFileSync(file);
  }

  async #monitor() {
    // QEMU opens its monitor before it answers the first command.
    await this.command('clock_step');
    const socket = createConnection(join(this.#folder, 'qmp'));
    const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
    await lines.next();
    const run = (execute: string, args: object = {}) => qmp(socket, lines, execute, args);
    await run('qmp_capabilities');
    return { run, close: () => socket.end() };
  }

  async close(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.on('exit', resolve));
    this.#child.kill('SIGKILL');
    await ended;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20));
}

async function qmp(socket: Socket, lines: AsyncIterator<string>, execute: string, args: object): Promise<unknown> {
  socket.write(`${JSON.stringify({ execute, arguments: args })}\n`);
  for (;;) {
    const { value, done } = await lines.next();
    if (done === true) throw new Error('QMP connection ended');
    const answer = JSON.parse(value) as { return?: unknown; error?: { desc: string } };
    if (answer.error !== undefined) throw new Error(answer.error.desc);
    if ('return' in answer) return answer.return;
  }
}

/** A copy of a stream whose virtual clock stands at `ns`. */
export function withClock(stream: Uint8Array, ns: bigint): Uint8Array {
  const copy = Uint8Array.from(stream);
  const timer = sectionFrom(copy, 'timer', 0);
  new DataView(copy.buffer, timer.byteOffset).setBigInt64(16, ns);
  return copy;
}

/** The payload that starts at the section of that name and instance, with everything behind it. */
export function sectionFrom(stream: Uint8Array, name: string, instance: number): Uint8Array {
  const header = Buffer.concat([Buffer.from([name.length]), Buffer.from(name), Buffer.from([0, 0, 0, instance])]);
  for (let at = 0; ; at++) {
    at = Buffer.from(stream.buffer, stream.byteOffset, stream.length).indexOf(header, at);
    if (at < 0) throw new Error(`QEMU's stream has no section ${name}/${instance}`);
    // Section type FULL and a 4-byte id precede the name; the version follows the instance.
    if (stream[at - 5] === 0x04) return stream.subarray(at + header.length + 4);
  }
}
