/**
 * Packets of multifd channels (QEMU migration/multifd.h, v10.0 and v7.2). All integers are big-endian. What is read here
 * comes from the network: nothing of it is used before it was checked.
 */

/** First word of every packet. */
export const MULTIFD_MAGIC = 0x11223344;
const VERSION = 1;

/** Bits of a packet's flags. */
export const MULTIFD_FLAG = {
  sync: 1,
  /** Methods of compression; no bit is none. */
  zlib: 2,
  zstd: 4,
  qpl: 8,
  uadk: 16,
  qatzip: 32,
  deviceState: 64,
} as const;
/** The bits of the methods. */
export const METHOD_MASK = 0x3e;

/** Methods of compression, as `multifd-compression` names them. */
export type MultifdCompression = 'none' | 'zlib' | 'zstd';
/** Their flags. */
export const METHOD_FLAG: Readonly<Record<MultifdCompression, number>> = {
  none: 0,
  zlib: MULTIFD_FLAG.zlib,
  zstd: MULTIFD_FLAG.zstd,
};

/** Pages that a packet has room for. */
export const PACKET_PAGES = 128;
/** Bytes of the packet that begins a channel. */
export const HELLO_SIZE = 64;
/** Bytes that all later packets begin with: magic, version, flags. */
export const PREFIX_SIZE = 12;
const NAME_SIZE = 256;
/** Where the offsets of a packet of pages begin, and its size without the pages. */
export const OFFSETS_AT = 64 + NAME_SIZE;
export const PAGES_HEADER_SIZE: number = OFFSETS_AT + PACKET_PAGES * 8;
/** Bytes of a packet of device state without the state. */
export const STATE_HEADER_SIZE: number = PREFIX_SIZE + NAME_SIZE + 8;

/** Most bytes that a packet's pages can take, compressed or not: QEMU's own buffers are as large. */
export const MAX_PAYLOAD = 2 ** 20;
/** Most bytes of one packet of device state; QEMU's VFIO sends at most 1 MiB and its own header. */
export const MAX_STATE = 16 * 2 ** 20;

/** A packet that does not say what it should. */
export class PacketError extends Error {}

/** A channel that broke is none, one that says something wrong is an error. @throws PacketError */
export function unlessBroken(error: unknown): undefined {
  if (error instanceof PacketError) throw error;
}

/** The packet that begins a channel. */
export interface Hello {
  /** The machine's UUID, zeros when it has none. */
  readonly uuid: Uint8Array;
  /** Number of the channel. */
  readonly id: number;
}

/** Writes the packet that begins a channel. */
export function encodeHello({ uuid, id }: Hello): Uint8Array {
  const bytes = new Uint8Array(HELLO_SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MULTIFD_MAGIC);
  view.setUint32(4, VERSION);
  bytes.set(uuid, 8);
  bytes[24] = id;
  return bytes;
}

/** Reads it. @throws PacketError */
export function decodeHello(bytes: Uint8Array): Hello {
  const view = viewOf(bytes);
  checkMagic(view);
  return { uuid: bytes.slice(8, 24), id: view.getUint8(24) };
}

/** What a packet of pages says before the pages. */
export interface PagesHeader {
  readonly flags: number;
  /** Pages whose bytes follow, and zero pages. */
  readonly normal: number;
  readonly zero: number;
  /** Bytes that follow. */
  readonly payload: number;
  readonly number: number;
  /** Block of the pages; empty in a packet that only synchronises. */
  readonly block: string;
}

/** Writes the header into a view of at least {@link PAGES_HEADER_SIZE} bytes; the offsets are left to the caller. */
export function encodePagesHeader(view: DataView, header: PagesHeader): void {
  view.setUint32(0, MULTIFD_MAGIC);
  view.setUint32(4, VERSION);
  view.setUint32(8, header.flags);
  view.setUint32(12, PACKET_PAGES);
  view.setUint32(16, header.normal);
  view.setUint32(20, header.payload);
  view.setUint32(24, Math.floor(header.number / 2 ** 32));
  view.setUint32(28, header.number);
  view.setUint32(32, header.zero);
  const { block } = header;
  for (let at = 36; at < 64; at += 4) view.setUint32(at, 0);
  for (let i = 0; i < NAME_SIZE; i++) view.setUint8(64 + i, i < block.length ? block.charCodeAt(i) : 0);
}

/** The flags of a packet whose first {@link PREFIX_SIZE} bytes have come. @throws PacketError for another protocol */
export function decodePrefix(view: DataView): number {
  checkMagic(view);
  return view.getUint32(8);
}

/**
 * Reads the header of a packet of pages.
 *
 * @param method flag of the method of compression that this side expects
 * @throws PacketError for counts and sizes that are not possible
 */
export function decodePagesHeader(view: DataView, method: number): PagesHeader {
  const flags = decodePrefix(view);
  const [room, normal, payload, zero] = [12, 16, 20, 32].map((at) => view.getUint32(at)) as [
    number,
    number,
    number,
    number,
  ];
  const unknown = flags & ~(METHOD_MASK | MULTIFD_FLAG.sync);
  if (unknown !== 0) throw new PacketError(`a packet has flags 0x${flags.toString(16)}, which are not known here`);
  if (room > PACKET_PAGES) throw new PacketError(`a packet has room for ${room} pages, expected are ${PACKET_PAGES}`);
  if (normal > room) throw new PacketError(`a packet has ${normal} pages and room for ${room}`);
  if (zero > room - normal)
    throw new PacketError(`a packet has ${normal} pages, ${zero} zero pages and room for ${room}`);
  const pages = normal + zero > 0;
  if (pages && (flags & METHOD_MASK) !== method)
    throw new PacketError(
      `a packet has compression flags 0x${(flags & METHOD_MASK).toString(16)}, expected are 0x${method.toString(16)}; ` +
        'set multifd-compression to the same on both sides',
    );
  if (normal > 0) checkPayload(payload, normal, method);
  const number = view.getUint32(24) * 2 ** 32 + view.getUint32(28);
  // Without pages nothing follows; 7.2 leaves the size of the packet before there.
  return { flags, normal, zero, payload: normal > 0 ? payload : 0, number, block: pages ? nameAt(view, 64) : '' };
}

function checkPayload(payload: number, normal: number, method: number): void {
  if (method === 0) {
    if (payload !== normal * 4096) throw new PacketError(`a packet has ${payload} bytes for ${normal} pages`);
  } else if (payload === 0 || payload > MAX_PAYLOAD)
    throw new PacketError(`a packet has ${payload} compressed bytes, possible are 1 to ${MAX_PAYLOAD}`);
}

/** What a packet of device state says before the state. */
export interface StateHeader {
  /** Section of the device. */
  readonly idstr: string;
  readonly instanceId: number;
  /** Bytes of state that follow. */
  readonly length: number;
}

/** Writes the header of a packet of device state. @throws RangeError for a name that does not fit */
export function encodeStateHeader({ idstr, instanceId, length }: StateHeader): Uint8Array {
  const name = new TextEncoder().encode(idstr);
  if (name.length >= NAME_SIZE) throw new RangeError(`'${idstr}' is longer than ${NAME_SIZE - 1} bytes`);
  const bytes = new Uint8Array(STATE_HEADER_SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MULTIFD_MAGIC);
  view.setUint32(4, VERSION);
  view.setUint32(8, MULTIFD_FLAG.deviceState);
  bytes.set(name, PREFIX_SIZE);
  view.setUint32(PREFIX_SIZE + NAME_SIZE, instanceId);
  view.setUint32(PREFIX_SIZE + NAME_SIZE + 4, length);
  return bytes;
}

/** Reads it, prefix included. @throws PacketError */
export function decodeStateHeader(view: DataView): StateHeader {
  const flags = decodePrefix(view);
  if (flags !== MULTIFD_FLAG.deviceState)
    throw new PacketError(`a packet of device state has flags 0x${flags.toString(16)}`);
  const length = view.getUint32(PREFIX_SIZE + NAME_SIZE + 4);
  if (length > MAX_STATE)
    throw new PacketError(`a packet has ${length} bytes of device state, at most ${MAX_STATE} are taken`);
  return { idstr: nameAt(view, PREFIX_SIZE), instanceId: view.getUint32(PREFIX_SIZE + NAME_SIZE), length };
}

function checkMagic(view: DataView): void {
  const [magic, version] = [view.getUint32(0), view.getUint32(4)];
  if (magic !== MULTIFD_MAGIC)
    throw new PacketError(`a packet begins with 0x${magic.toString(16)}, expected is 0x${MULTIFD_MAGIC.toString(16)}`);
  if (version !== VERSION) throw new PacketError(`a packet has version ${version}, expected is ${VERSION}`);
}

/** A name that a zero ends; QEMU cuts longer ones, here they are refused. */
function nameAt(view: DataView, at: number): string {
  let name = '';
  for (let i = 0; i < NAME_SIZE; i++) {
    const byte = view.getUint8(at + i);
    if (byte === 0) return name;
    name += String.fromCharCode(byte);
  }
  throw new PacketError('a packet has a name without an end');
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
