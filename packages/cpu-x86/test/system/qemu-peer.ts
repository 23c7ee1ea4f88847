import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { parseStream } from '@sterna/migration';

/** Recorded stream whose machine the peer can load. */
const name = process.env['STERNA_PEER_STREAM'] ?? 'v72-halt';
const golden = fileURLToPath(new URL(`../../../../../shared/golden/${name}.mig.gz`, import.meta.url));
/** The peer: QEMU 7.2 as packaged, or another one that the environment names. */
const program = process.env['STERNA_PEER_QEMU'] ?? '/usr/bin/qemu-system-x86_64';
const RAM = 4 << 20;
const PAGE = 4096;

/** Why the comparison cannot run here, or undefined. */
export const qemuMissing: string | undefined = !existsSync(golden)
  ? 'no ../shared/golden on this machine'
  : !existsSync(program)
    ? `no ${program} on this machine`
    : undefined;

/** What QEMU made of a fixture. */
export interface QemuOutcome {
  /** It halted; false: it reset or never stopped. */
  readonly halted: boolean;
  /** Text of `info registers`. */
  readonly registers: string;
  readonly ram: Uint8Array;
}

/** The halted guest's stream with its CPU and its first 4 MiB of RAM replaced. */
function streamWith(cpu: Uint8Array, ram: Uint8Array): Uint8Array {
  const stream = Buffer.from(gunzipSync(readFileSync(golden)));
  const records = parseStream(stream);
  const section = records.find((r) => r.type === 'full' && r.idstr === 'cpu');
  const common = records.find((r) => r.type === 'full' && r.idstr === 'cpu_common');
  const end = records.find((r) => r.type === 'ram' && r.kind === 'end');
  if (section?.type !== 'full' || common?.type !== 'full' || end?.type !== 'ram') throw new Error('unexpected stream');
  if (section.payload.length !== cpu.length)
    throw new Error(`cpu is ${cpu.length} bytes, not ${section.payload.length}`);
  Buffer.from(cpu).copy(stream, stream.indexOf(section.payload, section.offset));
  // not halted, no interrupt
  stream.fill(0, stream.indexOf(common.payload, common.offset), stream.indexOf(common.payload, common.offset) + 8);
  const part: Buffer[] = [];
  const u32 = (v: number): void => {
    const b = Buffer.alloc(4);
    b.writeUInt32BE(v);
    part.push(b);
  };
  part.push(Buffer.of(2));
  u32(end.id);
  const block = Buffer.from('microvm.ram', 'latin1');
  for (let at = 0; at < RAM; at += PAGE) {
    u32(0);
    u32(at | 8);
    part.push(Buffer.of(block.length), block, Buffer.from(ram.subarray(at, at + PAGE)));
  }
  u32(0);
  u32(0x10);
  part.push(Buffer.of(0x7e));
  u32(end.id);
  return Buffer.concat([stream.subarray(0, end.offset), ...part, stream.subarray(end.offset)]);
}

class Qmp {
  readonly #socket: Socket;
  #text = '';
  #waiting: ((line: Record<string, unknown>) => void)[] = [];
  closed = false;
  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (d) => {
      this.#text += d;
      for (let i = this.#text.indexOf('\n'); i >= 0; i = this.#text.indexOf('\n')) {
        const line = JSON.parse(this.#text.slice(0, i)) as Record<string, unknown>;
        this.#text = this.#text.slice(i + 1);
        if ('return' in line || 'error' in line) this.#waiting.shift()?.(line);
      }
    });
    const end = (): void => {
      this.closed = true;
      for (const w of this.#waiting) w({});
      this.#waiting = [];
    };
    socket.on('close', end);
    socket.on('error', end);
  }
  run(execute: string, args: object = {}): Promise<unknown> {
    if (this.closed) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this.#waiting.push((line) => resolve(line['return']));
      this.#socket.write(`${JSON.stringify({ execute, arguments: args })}\n`);
    });
  }
  async hmp(line: string): Promise<string> {
    return String((await this.run('human-monitor-command', { 'command-line': line })) ?? '');
  }
}

const sleep = (ms: number): Promise<void> => new Promise((r) => setTimeout(r, ms));

async function open(path: string): Promise<Socket> {
  for (let i = 0; ; i++) {
    try {
      return await new Promise<Socket>((resolve, reject) => {
        const s = connect(path);
        s.once('connect', () => resolve(s));
        s.once('error', reject);
      });
    } catch (error) {
      if (i > 200) throw error;
      await sleep(20);
    }
  }
}

/** Runs a CPU section and RAM on a real QEMU until the CPU halts. */
export async function runOnQemu(
  cpu: Uint8Array,
  ram: Uint8Array,
  features: readonly string[] = [],
): Promise<QemuOutcome> {
  const directory = mkdtempSync(join(tmpdir(), 'sterna-peer-'));
  let child: ChildProcess | undefined;
  try {
    const file = join(directory, 'stream');
    writeFileSync(file, streamWith(cpu, ram));
    const sock = join(directory, 'qmp');
    const options = [
      '-nodefaults',
      '-display',
      'none',
      '-no-reboot',
      '-no-shutdown',
      '-cpu',
      ['qemu64', '-svm', ...features.map((name) => `+${name}`)].join(),
      '-M',
      'microvm',
    ];
    child = spawn(
      program,
      [
        ...options,
        '-m',
        '16',
        '-serial',
        'null',
        '-qmp',
        `unix:${sock},server=on,wait=off`,
        '-incoming',
        `exec:cat ${file}`,
      ],
      {
        stdio: ['ignore', 'ignore', 'inherit'],
      },
    );
    const qmp = new Qmp(await open(sock));
    await qmp.run('qmp_capabilities');
    for (let i = 0; i < 100; i++) {
      const { status } = (await qmp.run('query-status')) as { status: string };
      if (status !== 'inmigrate') break;
      await sleep(10);
    }
    await qmp.run('cont');
    let registers = '';
    let halted = false;
    for (let i = 0; i < 60 && !halted; i++) {
      const { status } = ((await qmp.run('query-status')) ?? { status: 'gone' }) as { status: string };
      registers = await qmp.hmp('info registers');
      halted = registers.includes('HLT=1');
      if (status !== 'running') break;
      await sleep(10);
    }
    const out = join(directory, 'ram');
    await qmp.run('pmemsave', { val: 0, size: RAM, filename: out });
    await qmp.run('quit');
    return { halted, registers, ram: existsSync(out) ? readFileSync(out) : new Uint8Array(RAM) };
  } finally {
    child?.kill('SIGKILL');
    rmSync(directory, { recursive: true, force: true });
  }
}
