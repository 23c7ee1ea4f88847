import type { ReceivePlan } from '../multifd/packet-reader.ts';
import type { Hello, StateHeader } from '../multifd/packets.ts';
import type { InputSetup } from './thread-input.ts';

/** The connection for the thread of an incoming channel. */
export interface ReceiveSetup extends InputSetup {
  /** First bytes of the channel, which were looked at to know what it is. */
  readonly taken: Uint8Array;
}

/** To the thread. */
export type ReceiveRequest =
  | { readonly do: 'open'; readonly setup: ReceiveSetup }
  | { readonly do: 'start'; readonly plan: ReceivePlan }
  /** Go on behind a synchronisation, or behind a packet of device state. */
  | { readonly do: 'resume' | 'state-taken' }
  | { readonly do: 'abort'; readonly reason: string }
  | { readonly do: 'close' };

/** From the thread. */
export type ReceiveReport =
  /** The first packet, or what is wrong with it; neither when there was none. */
  | { readonly was: 'hello'; readonly hello?: Hello | undefined; readonly error?: string }
  | { readonly was: 'reached'; readonly watched: readonly number[] }
  | { readonly was: 'state'; readonly header: StateHeader; readonly state: Uint8Array }
  /** The last report. */
  | { readonly was: 'ended'; readonly error?: string };
