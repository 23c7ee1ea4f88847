import type { SharePlan } from '../multifd/page-method.ts';
import type { ShareBudget, SharedPages } from '../multifd/page-share.ts';
import type { StatePacket } from '../multifd/state-packet.ts';
import type { PageBudget, PagePlan, SentPages } from '../ram/page-sender.ts';
import type { TlsClientSetup } from '../tls/channel-setup.ts';

/** Where a channel's thread writes to. It is the only one that closes a descriptor it gets. */
export type ThreadTarget =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'inet'; readonly host: string; readonly port: number }
  /** A connected socket or a pipe. */
  | { readonly kind: 'stream'; readonly fd: number }
  /**
   * An open file; written from its current position on when none is given. Pages that have places go through a descriptor of
   * their own where there is one.
   */
  | { readonly kind: 'file'; readonly fd: number; readonly position: number | undefined; readonly pagesFd?: number }
  | { readonly kind: 'exec'; readonly args: readonly string[] };

/** What a channel's thread starts with. */
export interface ThreadSetup {
  readonly name: string;
  readonly target: ThreadTarget;
  /** How the channel is secured, if it is. */
  readonly tls?: TlsClientSetup | undefined;
}

/** To the thread. Each request is answered under its number; they take effect in the order of sending. */
export type ThreadRequest =
  | { readonly id: number; readonly do: 'open' | 'read' | 'end' | 'close' }
  /** Bytes of their own, or a stretch of the memory that the plan has brought; a view of it would be costly to post. */
  | { readonly id: number; readonly do: 'write'; readonly bytes: Uint8Array }
  | { readonly id: number; readonly do: 'write-memory'; readonly at: number; readonly length: number }
  | { readonly id: number; readonly do: 'plan'; readonly plan: PagePlan }
  | { readonly id: number; readonly do: 'pages'; readonly budget: PageBudget }
  /** As a multifd channel. */
  | { readonly id: number; readonly do: 'share-plan'; readonly plan: SharePlan }
  | { readonly id: number; readonly do: 'share'; readonly budget: ShareBudget }
  | { readonly id: number; readonly do: 'sync' }
  | { readonly id: number; readonly do: 'state'; readonly packet: StatePacket }
  /** What is written from now on goes to this offset of the file. */
  | { readonly id: number; readonly do: 'seek'; readonly offset: number }
  | { readonly id: number; readonly do: 'abort'; readonly reason: string };

/** Pages sent by the thread, and the bytes they took in the stream. */
export interface ThreadSentPages extends SentPages {
  readonly bytes: number;
}

/** From the thread: the answer to a request. */
export interface ThreadAnswer {
  readonly id: number;
  readonly error?: string;
  /** Whether the error is about securing the channel. */
  readonly aboutTls?: boolean;
  /** Bytes that were read (undefined at the end), pages that were sent, or how many bytes a synchronisation took. */
  readonly value?: Uint8Array | ThreadSentPages | SharedPages | number | undefined;
}
