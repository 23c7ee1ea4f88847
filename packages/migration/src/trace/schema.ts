/**
 * A trace of one side of one migration: a file with one JSON object in each line. The first line is a {@link TraceHeader};
 * every other one has `type` and `t`. Times are ms of the machine's injected monotonic clock since the channel was there
 * (negative before), so two traces are brought together by their pings (see `align.ts`), never by the date.
 *
 * A reader leaves out what it does not know: members and types may be added. What changes the meaning of one that is here
 * raises {@link TRACE_VERSION}.
 */
import type { MigrationStats } from '../info.ts';
import type { MigrationSide, TracePoint } from './probe.ts';

/** Version of the format. */
export const TRACE_VERSION = 1;

/** The first line. */
export interface TraceHeader {
  readonly type: 'trace';
  readonly version: number;
  readonly side: MigrationSide;
  /** Who wrote it, e.g. `sterna 0.1.0`. */
  readonly by: string;
  /** Name of the machine, when it has one. */
  readonly machine?: string;
  /** Date when it began, for people. */
  readonly date: string;
  /** The monotonic clock at `t` 0, in ms. */
  readonly clock: number;
  /** What the channel is called, and capabilities that are on. */
  readonly channel: string;
  readonly capabilities: readonly string[];
}

/** What was sent of a section in parts since the window before. */
export interface TraceParts {
  readonly idstr: string;
  readonly instance: number;
  readonly parts: number;
  readonly bytes: number;
  /** Time in which one of them was open. */
  readonly ms: number;
}

/** A line after the first. */
export type TraceRecord =
  /** A state of the migration was entered. */
  | { readonly type: 'status'; readonly t: number; readonly status: string }
  /** A moment of the switchover. */
  | { readonly type: 'point'; readonly t: number; readonly point: TracePoint }
  /** RAM was looked through: pages dirtied since the pass before, bytes to send in this one. */
  | {
      readonly type: 'pass';
      readonly t: number;
      readonly pass: number;
      readonly dirtied: number;
      readonly remaining: number;
      /** Bytes of the stream before it. */
      readonly sent: number;
    }
  /** Figures at the end of a window of measurement of so many ms; `ram` is that of `query-migrate`. */
  | {
      readonly type: 'window';
      readonly t: number;
      readonly ms: number;
      readonly ram: MigrationStats;
      /** Bytes of pages encoded by xbzrle, where that is on. */
      readonly xbzrle?: { readonly bytes: number; readonly pages: number };
      /** ms */
      readonly expectedDowntime: number;
      /** Percentage of time in which the guest does not run. */
      readonly throttle: number;
      readonly parts: readonly TraceParts[];
    }
  /** The guest is slowed down by so many percent. */
  | { readonly type: 'throttle'; readonly t: number; readonly percentage: number }
  /** A section that is not repeated: `t` is its beginning, `ms` how long it took, `bytes` its size with its frame. */
  | {
      readonly type: 'section';
      readonly t: number;
      readonly ms: number;
      readonly kind: 'start' | 'end' | 'full';
      readonly idstr: string;
      readonly instance: number;
      readonly id: number;
      readonly offset: number;
      readonly bytes: number;
    }
  /** The source has sent a ping, the destination has received it; the source has received the answer. */
  | { readonly type: 'ping' | 'pong'; readonly t: number; readonly value: number }
  /** The last line. */
  | {
      readonly type: 'end';
      readonly t: number;
      /** Why the migration has failed, when it has. */
      readonly error?: string;
      /** The source's last figures. */
      readonly ram?: MigrationStats;
      readonly downtime?: number;
      readonly setupTime?: number;
      readonly totalTime?: number;
      readonly parts: readonly TraceParts[];
    };

/** A trace that was read. */
export interface Trace {
  readonly header: TraceHeader;
  readonly records: readonly TraceRecord[];
  /** False when the file ends before the migration did. */
  readonly complete: boolean;
}
