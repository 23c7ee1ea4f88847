import { fromHex, latin1Text, parseCount } from './hex.ts';
import { MAX_PACKET } from './packet.ts';
import type { Session } from './session.ts';
import { parseThread, threadId } from './thread-id.ts';

const OK = 'OK';
const INVALID = 'E22';
/** What an annex that does not exist is answered with. */
const NO_ANNEX = 'E00';
/** Room of an answer beside its data. */
const OVERHEAD = 64;

/** Handles `q` and `Q` packets except `qRcmd`. An empty answer says that a packet is not known. */
export function queryPacket(session: Session, packet: string): string {
  const { target } = session;
  if (packet.startsWith('qSupported')) return supported(session, packet);
  if (packet === 'QStartNoAckMode') {
    session.noAck = true;
    return OK;
  }
  if (packet === 'qC') return `QC${threadId(session.general)}`;
  // gdb may leave the machine alone when it ends, and does not think of it as its child
  if (packet === 'qAttached' || packet.startsWith('qAttached:')) return '1';
  if (packet === 'qfThreadInfo') return `m${target.cpus.map((_, index) => threadId(index)).join(',')}`;
  if (packet === 'qsThreadInfo') return 'l';
  if (packet.startsWith('qThreadExtraInfo,')) return threadInfo(session, packet.slice('qThreadExtraInfo,'.length));
  if (packet.startsWith('qXfer:')) return transfer(session, packet);
  return qemuPacket(session, packet);
}

function supported(session: Session, packet: string): string {
  const theirs = packet.slice('qSupported'.length).replace(/^:/, '').split(';');
  session.swbreak = theirs.includes('swbreak+');
  session.hwbreak = theirs.includes('hwbreak+');
  return [
    `PacketSize=${MAX_PACKET.toString(16)}`,
    'QStartNoAckMode+',
    'qXfer:features:read+',
    'qXfer:threads:read+',
    'vContSupported+',
    ...(session.swbreak ? ['swbreak+'] : []),
    ...(session.hwbreak ? ['hwbreak+'] : []),
  ].join(';');
}

function threadInfo(session: Session, text: string): string {
  const thread = parseThread(text);
  if (typeof thread !== 'number' || !session.has(thread)) return INVALID;
  return [...cpuText(session, thread)].map((char) => char.charCodeAt(0).toString(16).padStart(2, '0')).join('');
}

function cpuText({ target }: Session, index: number): string {
  return `CPU#${index} [${target.cpus[index]!.halted ? 'halted' : 'running'}]`;
}

/** `qXfer:OBJECT:read:ANNEX:OFFSET,LENGTH`. */
function transfer(session: Session, packet: string): string {
  const match = /^qXfer:(features|threads):read:([^:]*):([0-9a-fA-F]+),([0-9a-fA-F]+)$/.exec(packet);
  if (match === null) return /^qXfer:(features|threads):read:/.test(packet) ? INVALID : '';
  const [, object, annex] = match;
  const offset = parseCount(match[3]!);
  const length = parseCount(match[4]!);
  if (offset === undefined || length === undefined || length === 0) return INVALID;
  const text = object === 'features' ? (annex === 'target.xml' ? session.targetXml : undefined) : threadsXml(session);
  if (text === undefined) return NO_ANNEX;
  const part = text.slice(offset, offset + Math.min(length, MAX_PACKET - OVERHEAD));
  return `${offset + part.length < text.length ? 'm' : 'l'}${part}`;
}

function threadsXml(session: Session): string {
  const rows = session.target.cpus.map(
    (_, index) => `<thread id="${threadId(index)}" core="${index}">${cpuText(session, index)}</thread>`,
  );
  return `<?xml version="1.0"?><threads>${rows.join('')}</threads>`;
}

/** QEMU's own packets, sent with gdb's `maintenance packet`. */
function qemuPacket(session: Session, packet: string): string {
  const { target } = session;
  const [name, value] = splitAt(packet, /[:=]/);
  switch (name) {
    case 'qqemu.Supported':
      return 'sstepbits;sstep;PhyMemMode';
    case 'qqemu.sstepbits':
      return 'ENABLE=1,NOIRQ=2';
    case 'qqemu.sstep':
      return `0x${session.stepFlags.toString(16)}`;
    case 'Qqemu.sstep': {
      const flags = parseCount((value ?? '').replace(/^0x/, ''));
      if (flags === undefined || flags > 3) return INVALID;
      session.setStepFlags(flags);
      return OK;
    }
    case 'qqemu.PhyMemMode':
      return target.physicalMemory ? '1' : '0';
    case 'Qqemu.PhyMemMode':
      if (value !== '0' && value !== '1') return INVALID;
      target.physicalMemory = value === '1';
      return OK;
  }
  return '';
}

function splitAt(text: string, separator: RegExp): readonly [string, string | undefined] {
  const at = text.search(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

/** The line of a `qRcmd` packet; undefined when it cannot be read. */
export function monitorLine(packet: string): string | undefined {
  const bytes = fromHex(packet.slice('qRcmd,'.length));
  return bytes === undefined ? undefined : latin1Text(bytes);
}
