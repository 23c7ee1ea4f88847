/** Incoming channels beside the main one, as the machine's loop sees them. */

import type { ReceivePlan } from './packet-reader.ts';
import { type Hello, PacketError, type StateHeader } from './packets.ts';

/** What happened on a channel up to its next synchronisation. */
export interface Reached {
  /** Host addresses of pages that were written and have to be announced. */
  readonly watched: readonly number[];
}

/** A channel that brings pages: in a thread where the host has threads, or on the loop. */
export interface MultifdInput {
  readonly name: string;
  /** The packet that the channel begins with; undefined when the channel broke or ended before. @throws PacketError */
  readonly hello: Promise<Hello | undefined>;
  /** Resolves when the channel has ended between two packets, with undefined, or with what was wrong. */
  readonly ended: Promise<Error | undefined>;
  /** Begins to read packets. */
  start(plan: ReceivePlan, state: (header: StateHeader, state: Uint8Array) => Promise<void>): void;
  /** Resolves when everything up to the next synchronisation is in memory. @throws the channel's error */
  reached(): Promise<Reached>;
  /** Goes on behind the synchronisation. */
  resume(): void;
  /** Gives the channel up at once. */
  abort(reason: Error): void;
  /** Frees the channel after a regular end. */
  close(): void;
}

/** One more first packet than there are channels, from a machine that is not the expected one, and the like. @throws PacketError */
export function checkHello({ uuid, id }: Hello, local: Uint8Array, channels: number): void {
  if (uuid.some((byte, i) => byte !== local[i]))
    throw new PacketError(
      `channel ${id} is of machine ${hex(uuid)}, this one is ${hex(local)}; start both with the same -uuid`,
    );
  if (id >= channels)
    throw new PacketError(
      `channel ${id} comes, but multifd-channels is ${channels} here; set it to the same on both sides`,
    );
}

function hex(bytes: Uint8Array): string {
  const digits = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
