import type { CharBackend, CharFrontend, MachineStop } from '@sterna/core';
import { latin1Bytes, latin1Text, parseAddress, parseCount, toHex } from './hex.ts';
import { memoryPacket } from './memory-packets.ts';
import { encodePacket, MAX_PACKET, type PacketEvent, PacketReader } from './packet.ts';
import { monitorLine, queryPacket } from './queries.ts';
import { parseVCont, VCONT_ACTIONS } from './resume.ts';
import { Session } from './session.ts';
import { attachReply, stopReply } from './stop-reply.ts';
import type { GdbHost, GdbTarget } from './target.ts';
import { parseThread } from './thread-id.ts';

const OK = 'OK';
const INVALID = 'E22';
const FAILED = 'E01';
/** ENODEV: the vCPU cannot be debugged. */
const NO_REGISTERS = 'E13';
const NO_MONITOR = 'this machine has no monitor\n';
/** Output of the monitor in one packet, in bytes. */
const OUTPUT_PART = MAX_PACKET / 4;

/**
 * gdb's side of a machine: speaks the remote protocol on a character backend. A connection stops the machine; when it ends,
 * breakpoints are gone and a machine that gdb had stopped runs on.
 */
export class GdbStub implements CharFrontend, Disposable {
  readonly #backend: CharBackend;
  readonly #target: GdbTarget;
  readonly #host: GdbHost;
  readonly #reader = new PacketReader();
  readonly #listener: Disposable;
  #session: Session | undefined;
  /** The machine stands still because gdb came, interrupted or set a breakpoint. */
  #ours = false;
  #stopping = false;
  /** gdb has let the machine run and waits for its stop. */
  #waiting = false;
  /** A monitor command runs; further bytes wait. */
  #busy = false;
  #backlog: number[] = [];
  #lastPacket: Uint8Array | undefined;
  #unsent: Uint8Array[] = [];
  #blocked = false;

  constructor(backend: CharBackend, target: GdbTarget, host: GdbHost) {
    this.#backend = backend;
    this.#target = target;
    this.#host = host;
    this.#listener = target.onStop((stop) => this.#stopped(stop));
    backend.attach(this);
  }

  canReceive(): number {
    return this.#busy ? 0 : MAX_PACKET;
  }

  receive(bytes: Uint8Array): void {
    this.#backlog.push(...bytes);
    this.#work();
  }

  event(event: 'opened' | 'closed' | 'break'): void {
    if (event === 'break') this.#interrupt();
    else if (event === 'opened') this.#open();
    else if (!this.#backend.connected) this.#lost();
  }

  /** Tells a gdb that waits for the machine to stop that it has ended with an exit code. */
  exited(code: number): void {
    if (this.#session === undefined || !this.#waiting) return;
    this.#waiting = false;
    this.#send(`W${(code & 0xff).toString(16).padStart(2, '0')}`);
  }

  /** Ends the session as if gdb had gone, and gives the backend back. */
  [Symbol.dispose](): void {
    this.#lost();
    this.#listener[Symbol.dispose]();
    this.#backend.attach(undefined);
  }

  #open(): void {
    if (this.#session !== undefined) return;
    this.#session = new Session(this.#target);
    this.#stopMachine();
  }

  #lost(): void {
    const session = this.#session;
    this.#session = undefined;
    this.#reader.reset();
    this.#backlog = [];
    this.#unsent = [];
    this.#lastPacket = undefined;
    this.#waiting = false;
    if (session !== undefined) this.#release(session);
  }

  /** Takes breakpoints away and lets a machine run on that gdb has stopped. */
  #release(session: Session): void {
    session.breakpoints.clear();
    if (this.#ours && this.#target.resumable && !this.#target.running) session.resume(session.all);
    this.#ours = false;
  }

  #work(): void {
    let done = 0;
    while (done < this.#backlog.length && !this.#busy && this.#session !== undefined) {
      const event = this.#reader.push(this.#backlog[done++]!);
      if (event !== undefined) this.#handle(event, this.#session);
    }
    this.#backlog.splice(0, done);
  }

  #handle(event: PacketEvent, session: Session): void {
    switch (event.kind) {
      case 'ack':
        this.#lastPacket = undefined;
        return;
      case 'nak':
        if (this.#lastPacket !== undefined && !session.noAck) this.#write(this.#lastPacket);
        return;
      case 'interrupt':
        this.#interrupt();
        return;
      case 'damaged':
        if (session.noAck) this.#send(INVALID);
        else this.#write(latin1Bytes('-'));
        return;
      case 'oversize':
        this.#acknowledge(session);
        this.#send(INVALID);
        return;
      case 'packet':
        this.#acknowledge(session);
        // gdb has something to say: nobody can answer while the machine runs
        this.#interrupt();
        this.#packet(session, event.data);
    }
  }

  #acknowledge({ noAck }: Session): void {
    if (!noAck) this.#write(latin1Bytes('+'));
  }

  #packet(session: Session, data: Uint8Array): void {
    let reply: string | undefined;
    try {
      reply = this.#answer(session, data);
    } catch (error) {
      // what cannot be done is said on gdb's console
      this.#output(`${error instanceof Error ? error.message : String(error)}\n`);
      this.#waiting = false;
      reply = FAILED;
    }
    if (reply !== undefined) this.#send(reply);
  }

  /** The answer to a packet; undefined when it comes later or never. */
  #answer(session: Session, data: Uint8Array): string | undefined {
    const text = latin1Text(data);
    const rest = text.slice(1);
    switch (text[0]) {
      case '?':
        // gdb begins anew
        session.breakpoints.clear();
        return attachReply(session.general);
      case 'g':
        return session.registers?.readAll() ?? NO_REGISTERS;
      case 'G':
        return session.registers?.writeAll(rest) === true ? OK : INVALID;
      case 'p':
        return session.registers?.read(parseCount(rest) ?? -1) ?? INVALID;
      case 'P':
        return this.#writeRegister(session, rest);
      case 'm':
      case 'M':
      case 'X':
        return memoryPacket(this.#target, session.cpu, data);
      case 'Z':
      case 'z':
        return session.breakpoints.handle(text);
      case 'c':
      case 's':
      case 'C':
      case 'S':
        return this.#continue(session, text);
      case 'v':
        return this.#vPacket(session, text);
      case 'H':
        return chooseThread(session, rest);
      case 'T': {
        const thread = parseThread(rest);
        return typeof thread === 'number' && session.has(thread) ? OK : INVALID;
      }
      case 'D':
        return this.#detach(session);
      case 'k':
        this.#host.kill();
        return undefined;
      case 'q':
        if (text.startsWith('qRcmd,')) return this.#monitor(text);
        return queryPacket(session, text);
      case 'Q':
        return queryPacket(session, text);
      default:
        return '';
    }
  }

  #writeRegister(session: Session, text: string): string {
    const match = /^([0-9a-fA-F]+)=([0-9a-fA-F]*)$/.exec(text);
    const number = parseCount(match?.[1] ?? '');
    if (match === null || number === undefined) return INVALID;
    return session.registers?.write(number, match[2]!) === true ? OK : INVALID;
  }

  /** `c`, `s`, `C`, `S`: from an address, with a signal that is ignored. */
  #continue(session: Session, text: string): string | undefined {
    const match = /^(?:[cs]([0-9a-fA-F]*)|[CS][0-9a-fA-F]{2}(?:;([0-9a-fA-F]+))?)$/.exec(text);
    if (match === null) return INVALID;
    const from = match[1] || match[2];
    const chosen = typeof session.resumed === 'number' ? session.resumed : session.general;
    if (from !== undefined && from !== '') {
      const address = parseAddress(from);
      if (address === undefined) return INVALID;
      session.general = chosen;
      session.registers?.setPc(address);
    }
    const actions = new Map(session.all);
    if (text[0] === 's' || text[0] === 'S') actions.set(chosen, 'step');
    return this.#run(session, actions);
  }

  #vPacket(session: Session, text: string): string | undefined {
    if (text === 'vCont?') return VCONT_ACTIONS;
    if (text.startsWith('vCont')) {
      const actions = parseVCont(text.slice('vCont'.length), this.#target.cpus.length);
      return actions === undefined || actions.size === 0 ? INVALID : this.#run(session, actions);
    }
    if (text.startsWith('vKill')) {
      this.#send(OK);
      this.#host.kill();
      return undefined;
    }
    return '';
  }

  #run(session: Session, actions: Parameters<Session['resume']>[0]): undefined {
    this.#waiting = true;
    this.#ours = false;
    session.resume(actions);
    return undefined;
  }

  #detach(session: Session): undefined {
    this.#send(OK);
    this.#ours = true;
    this.#release(session);
    return undefined;
  }

  #monitor(packet: string): string | undefined {
    const line = monitorLine(packet);
    if (line === undefined) return INVALID;
    if (this.#host.monitor === undefined) {
      this.#output(NO_MONITOR);
      return OK;
    }
    this.#busy = true;
    const session = this.#session;
    this.#host
      .monitor(line)
      .catch((error: unknown) => `${error instanceof Error ? error.message : String(error)}\n`)
      .then((output) => {
        this.#busy = false;
        // another gdb may have come meanwhile
        if (session !== this.#session) return;
        this.#output(output.replaceAll('\r\n', '\n'));
        this.#send(OK);
        this.#work();
      })
      .finally(() => this.#backend.acceptInput());
    return undefined;
  }

  /** Shows text on gdb's console. */
  #output(text: string): void {
    const bytes = new TextEncoder().encode(text);
    for (let at = 0; at < bytes.length; at += OUTPUT_PART)
      this.#send(`O${toHex(bytes.subarray(at, at + OUTPUT_PART))}`);
  }

  /** Stops a running machine, which then answers the packet that let it run. */
  #interrupt(): void {
    if (this.#session !== undefined) this.#stopMachine();
  }

  #stopMachine(): void {
    if (!this.#target.running) return;
    this.#stopping = true;
    try {
      this.#target.stop();
    } finally {
      this.#stopping = false;
    }
  }

  #stopped(event: MachineStop): void {
    const session = this.#session;
    if (session === undefined) return;
    this.#ours = this.#stopping || event.state === 'debug';
    const index = event.cpu === undefined ? session.general : this.#target.cpus.indexOf(event.cpu);
    const reply = stopReply(event, index, (address) => {
      const name = session.breakpoints.nameAt(address);
      return (name === 'swbreak' && session.swbreak) || (name === 'hwbreak' && session.hwbreak) ? name : '';
    });
    if (reply === undefined) return;
    session.general = index;
    session.resumed = 'any';
    if (!this.#waiting) return;
    this.#waiting = false;
    this.#send(reply);
  }

  #send(reply: string): void {
    const packet = encodePacket(latin1Bytes(reply));
    this.#lastPacket = packet;
    this.#write(packet);
  }

  #write(bytes: Uint8Array): void {
    this.#unsent.push(bytes);
    if (!this.#blocked) this.#flush();
  }

  #flush(): void {
    while (this.#unsent.length > 0) {
      const chunk = this.#unsent[0]!;
      const taken = this.#backend.write(chunk);
      if (taken < chunk.length) {
        this.#unsent[0] = chunk.subarray(taken);
        this.#blocked = true;
        this.#backend.onWritable(() => {
          this.#blocked = false;
          this.#flush();
        });
        return;
      }
      this.#unsent.shift();
    }
  }
}

/** `Hg` and `Hc`. */
function chooseThread(session: Session, text: string): string {
  const thread = parseThread(text.slice(1));
  if (thread === undefined || (typeof thread === 'number' && !session.has(thread))) return INVALID;
  if (text[0] === 'g') {
    if (typeof thread === 'number') session.general = thread;
    return OK;
  }
  if (text[0] !== 'c') return INVALID;
  session.resumed = thread;
  return OK;
}
