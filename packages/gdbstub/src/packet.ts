/** Longest packet that is taken and sent, in bytes between `$` and `#`. */
export const MAX_PACKET = 0x8000;

const DOLLAR = 0x24;
const HASH = 0x23;
const ESCAPE = 0x7d;
const STAR = 0x2a;
const PLUS = 0x2b;
const MINUS = 0x2d;
const INTERRUPT = 0x03;
const ESCAPE_BIT = 0x20;

/** What the bytes of a connection amount to. */
export type PacketEvent =
  | { readonly kind: 'packet'; readonly data: Uint8Array }
  /** A packet whose checksum is wrong. */
  | { readonly kind: 'damaged' }
  /** A packet longer than {@link MAX_PACKET}. */
  | { readonly kind: 'oversize' }
  | { readonly kind: 'ack' }
  | { readonly kind: 'nak' }
  /** The byte 0x03 outside a packet: stop the machine. */
  | { readonly kind: 'interrupt' };

/** Finds packets in a stream of bytes. Takes any bytes at all; what belongs to no packet is skipped. */
export class PacketReader {
  readonly #data: number[] = [];
  #state: 'idle' | 'data' | 'escape' | 'check1' | 'check2' = 'idle';
  #sum = 0;
  #check = 0;
  #oversize = false;

  /** Forgets a packet that has begun. */
  reset(): void {
    this.#state = 'idle';
  }

  /** Takes one byte. */
  push(byte: number): PacketEvent | undefined {
    switch (this.#state) {
      case 'idle':
        return this.#idle(byte);
      case 'data':
      case 'escape':
        this.#inside(byte);
        return undefined;
      case 'check1':
        this.#check = hexDigit(byte) * 16;
        this.#state = 'check2';
        return undefined;
      case 'check2':
        this.#state = 'idle';
        return this.#end(this.#check + hexDigit(byte));
    }
  }

  #idle(byte: number): PacketEvent | undefined {
    switch (byte) {
      case DOLLAR:
        this.#begin();
        return undefined;
      case PLUS:
        return { kind: 'ack' };
      case MINUS:
        return { kind: 'nak' };
      case INTERRUPT:
        return { kind: 'interrupt' };
      default:
        return undefined;
    }
  }

  #begin(): void {
    this.#data.length = 0;
    this.#sum = 0;
    this.#oversize = false;
    this.#state = 'data';
  }

  #inside(byte: number): void {
    // neither can stand in a packet, so the one before was cut off
    if (byte === DOLLAR) {
      this.#begin();
      return;
    }
    if (byte === HASH) {
      this.#state = 'check1';
      return;
    }
    this.#sum = (this.#sum + byte) & 0xff;
    if (this.#state === 'data' && byte === ESCAPE) {
      this.#state = 'escape';
      return;
    }
    if (this.#data.length >= MAX_PACKET) this.#oversize = true;
    else this.#data.push(this.#state === 'escape' ? byte ^ ESCAPE_BIT : byte);
    this.#state = 'data';
  }

  #end(check: number): PacketEvent {
    // NaN for digits that are none
    if (check !== this.#sum) return { kind: 'damaged' };
    return this.#oversize ? { kind: 'oversize' } : { kind: 'packet', data: Uint8Array.from(this.#data) };
  }
}

function hexDigit(byte: number): number {
  const text = String.fromCharCode(byte);
  return /[0-9a-fA-F]/.test(text) ? Number.parseInt(text, 16) : Number.NaN;
}

/** A packet with its frame, checksum and escapes. */
export function encodePacket(data: Uint8Array): Uint8Array {
  const out = [DOLLAR];
  let sum = 0;
  const add = (byte: number): void => {
    out.push(byte);
    sum = (sum + byte) & 0xff;
  };
  for (const byte of data) {
    if (byte === DOLLAR || byte === HASH || byte === ESCAPE || byte === STAR) {
      add(ESCAPE);
      add(byte ^ ESCAPE_BIT);
    } else add(byte);
  }
  out.push(
    HASH,
    ...sum
      .toString(16)
      .padStart(2, '0')
      .split('')
      .map((char) => char.charCodeAt(0)),
  );
  return Uint8Array.from(out);
}
