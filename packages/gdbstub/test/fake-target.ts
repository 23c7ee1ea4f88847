import type {
  CharBackend,
  CharFrontend,
  CpuDebug,
  DebugRegister,
  MachineStop,
  ResumeAction,
  RunState,
  VCpu,
  Watchpoint,
} from '@sterna/core';
import type { GdbHost, GdbTarget } from '../src/index.ts';
import { GdbStub } from '../src/index.ts';
import { encodePacket, PacketReader } from '../src/packet.ts';

/** A CPU of no known architecture: three registers, big-endian if wanted. */
function fakeCpu(index: number, littleEndian: boolean): VCpu {
  const values = [0x11n, 0x2233n, 0x44556677n];
  const register = (name: string, bits: number, type: string, n: number): DebugRegister => ({
    name,
    bits,
    type,
    read: () => values[n]!,
    write: (value) => {
      values[n] = value;
    },
  });
  const registers = [
    register('flags', 8, 'int8', 0),
    register('pc', 16, 'code_ptr', 1),
    register('sum', 32, 'int32', 2),
  ];
  const debug: Partial<CpuDebug> = {
    littleEndian,
    view: () => ({ architecture: 'toy', features: [{ name: 'org.example.toy', registers }] }),
  };
  return { index, halted: index > 0, debug } as unknown as VCpu;
}

/** A machine with 256 bytes of memory that does what it is told and nothing else. */
export class FakeTarget implements GdbTarget {
  readonly cpus: readonly VCpu[];
  runState: RunState = 'running';
  physicalMemory = false;
  stepInterrupts = false;
  readonly memory = new Uint8Array(256);
  readonly breakpoints = new Set<bigint>();
  readonly watchpoints: Watchpoint[] = [];
  resumed: (readonly [number, ResumeAction])[][] = [];
  room = 3;
  readonly #listeners = new Set<(stop: MachineStop) => void>();

  constructor(cpuCount = 2, littleEndian = true) {
    this.cpus = Array.from({ length: cpuCount }, (_, index) => fakeCpu(index, littleEndian));
  }

  get running(): boolean {
    return this.runState === 'running';
  }
  get resumable(): boolean {
    return this.runState !== 'postmigrate';
  }
  onStop(listener: (stop: MachineStop) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }
  /** The machine stops by itself. */
  stopWith(stop: MachineStop): void {
    this.runState = stop.state;
    for (const listener of this.#listeners) listener(stop);
  }
  stop(): void {
    if (this.running) this.stopWith({ state: 'paused' });
  }
  resume(actions: ReadonlyMap<VCpu, ResumeAction>): void {
    if (!this.resumable) throw new Error('cannot run now');
    this.resumed.push([...actions].map(([cpu, action]) => [cpu.index, action]));
    this.runState = 'running';
  }
  setBreakpoint(address: bigint): boolean {
    if (this.breakpoints.size >= this.room) return false;
    this.breakpoints.add(address);
    return true;
  }
  clearBreakpoint(address: bigint): void {
    this.breakpoints.delete(address);
  }
  setWatchpoint(watchpoint: Watchpoint): boolean {
    return this.watchpoints.push(watchpoint) <= this.room;
  }
  clearWatchpoint({ address }: Watchpoint): void {
    const at = this.watchpoints.findIndex((other) => other.address === address);
    if (at >= 0) this.watchpoints.splice(at, 1);
  }
  clearAll(): void {
    this.breakpoints.clear();
    this.watchpoints.length = 0;
  }
  #part(address: bigint, length: number): number {
    return Math.max(0, Math.min(length, this.memory.length - Number(address < 256n ? address : 256n)));
  }
  readMemory(_cpu: VCpu, address: bigint, into: Uint8Array): number {
    const count = this.#part(address, into.length);
    into.set(this.memory.subarray(Number(address), Number(address) + count));
    return count;
  }
  writeMemory(_cpu: VCpu, address: bigint, bytes: Uint8Array): number {
    const count = this.#part(address, bytes.length);
    this.memory.set(bytes.subarray(0, count), Number(address));
    return count;
  }
}

/** gdb's end of a connection to a stub. */
export class FakeGdb implements CharBackend {
  readonly id = 'gdb';
  connected = false;
  /** Everything the stub has sent, with one character for each byte. */
  raw = '';
  /** Most bytes that one write takes. */
  room = Number.POSITIVE_INFINITY;
  readonly target: FakeTarget;
  readonly stub: GdbStub;
  killed = 0;
  #frontend: CharFrontend | undefined;
  #writable: (() => void) | undefined;

  constructor(target = new FakeTarget(), monitor?: GdbHost['monitor']) {
    this.target = target;
    this.stub = new GdbStub(this, target, {
      kill: () => void this.killed++,
      ...(monitor === undefined ? {} : { monitor }),
    });
  }

  attach(frontend: CharFrontend | undefined): void {
    this.#frontend = frontend;
  }
  write(bytes: Uint8Array): number {
    const taken = Math.min(bytes.length, this.room);
    this.raw += Buffer.from(bytes.subarray(0, taken)).toString('latin1');
    return taken;
  }
  onWritable(callback: () => void): void {
    this.#writable = callback;
  }
  acceptInput(): void {}
  async close(): Promise<void> {}

  /** Takes bytes again after `room` was short. */
  drain(): void {
    this.room = Number.POSITIVE_INFINITY;
    this.#writable?.();
  }
  connect(): this {
    this.connected = true;
    this.#frontend?.event?.('opened');
    return this;
  }
  disconnect(): void {
    this.connected = false;
    this.#frontend?.event?.('closed');
  }
  /** Sends bytes and answers what came at once. */
  send(bytes: Uint8Array | string): string {
    const from = this.raw.length;
    this.#frontend?.receive(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
    return this.raw.slice(from);
  }
  /** Sends a packet, acknowledges, and answers the contents of the packets that came. */
  ask(text: string): string[] {
    const got = packetsOf(this.send(encodePacket(Buffer.from(text, 'latin1'))));
    for (const _ of got) this.send('+');
    return got;
  }
}

/** Contents of the packets in a stream. */
export function packetsOf(stream: string): string[] {
  const reader = new PacketReader();
  const found: string[] = [];
  for (const byte of Buffer.from(stream, 'latin1')) {
    const event = reader.push(byte);
    if (event?.kind === 'packet') found.push(Buffer.from(event.data).toString('latin1'));
  }
  return found;
}
