/**
 * What a migration tells whoever measures it. Without a listener there is no object to tell: a phase looks at one
 * variable, and no argument is evaluated.
 */
import type { MigrationCounters } from '../info.ts';
import type { SectionFacts, SectionKind, SectionProbe } from '../stream/section-probe.ts';

/** Which end of a migration. */
export type MigrationSide = 'source' | 'destination';

/** Moments of a switchover, in their order. */
export const TRACE_POINTS = {
  source: [
    /** The guest is being stopped. */
    'stop',
    /** It stands still. */
    'stopped',
    /** Disks are given up, devices know of it. */
    'inactivated',
    /** Everything is saved and handed to the channel. */
    'saved',
    /** The channel has taken it all. */
    'flushed',
    /** The end mark and the description are sent: the destination may run the guest. */
    'committed',
    /** The destination has said goodbye, where it can be heard. */
    'answered',
  ],
  destination: [
    /** The end mark has come. */
    'loaded',
    /** Disks are being taken over. */
    'activate',
    /** The guest is here, and runs if it did. */
    'started',
  ],
} as const;

/** Name of a moment. */
export type TracePoint = (typeof TRACE_POINTS)[MigrationSide][number];

/** How an attempt begins. */
export interface AttemptFacts {
  readonly side: MigrationSide;
  /** What the channel is called. */
  readonly channel: string;
  /** Capabilities that are on. */
  readonly capabilities: readonly string[];
  /** Figures of the source, which change while it runs; the destination keeps none. */
  readonly counters: MigrationCounters | undefined;
}

/** Listens to migrations, one at a time. Calls come in order, and must return soon: the guest may stand still. */
export interface MigrationProbe extends SectionProbe {
  /** The source may send pings of its own, which tell how the clocks of both sides differ. */
  readonly pings?: boolean;
  /** A channel is there and an attempt begins. */
  begin(facts: AttemptFacts): void;
  /** A state of QEMU's state machine was entered; the first one before `begin`. */
  status(side: MigrationSide, status: string): void;
  /** A moment of the switchover. */
  point(point: TracePoint): void;
  /**
   * RAM was looked through: a new pass begins.
   *
   * @param dirtied pages that were written since, and were clean before
   * @param remaining bytes to be sent now; @param sent bytes of the stream so far
   */
  pass(pass: number, dirtied: number, remaining: number, sent: number): void;
  /** A window of measurement of so many ms has ended; the counters are up to date. */
  window(ms: number): void;
  /** The guest is kept from running in this percentage of the time. */
  throttle(percentage: number): void;
  /** A ping was sent, or came in; a pong came back. */
  ping(value: number): void;
  pong(value: number): void;
  /** The attempt is over. */
  end(side: MigrationSide, error: unknown): void;
}

/** Who listens to the migrations of one machine. */
export class MigrationProbes {
  readonly #list: MigrationProbe[] = [];
  #active: MigrationProbe | undefined;

  /** Whom to tell; undefined when nobody listens. */
  get active(): MigrationProbe | undefined {
    return this.#active;
  }

  /** Adds a listener until disposed. One that is added during a migration hears of the next one. */
  add(probe: MigrationProbe): Disposable {
    this.#list.push(probe);
    this.#change();
    return {
      [Symbol.dispose]: () => {
        const at = this.#list.indexOf(probe);
        if (at >= 0) this.#list.splice(at, 1);
        this.#change();
      },
    };
  }

  #change(): void {
    this.#active = this.#list.length < 2 ? this.#list[0] : new Several([...this.#list]);
  }
}

/** Tells several listeners. */
class Several implements MigrationProbe {
  readonly pings: boolean;
  readonly #list: readonly MigrationProbe[];

  constructor(list: readonly MigrationProbe[]) {
    this.#list = list;
    this.pings = list.some(({ pings }) => pings === true);
  }
  begin(facts: AttemptFacts): void {
    for (const probe of this.#list) probe.begin(facts);
  }
  status(side: MigrationSide, status: string): void {
    for (const probe of this.#list) probe.status(side, status);
  }
  point(point: TracePoint): void {
    for (const probe of this.#list) probe.point(point);
  }
  pass(pass: number, dirtied: number, remaining: number, sent: number): void {
    for (const probe of this.#list) probe.pass(pass, dirtied, remaining, sent);
  }
  window(ms: number): void {
    for (const probe of this.#list) probe.window(ms);
  }
  throttle(percentage: number): void {
    for (const probe of this.#list) probe.throttle(percentage);
  }
  sectionBegin(kind: SectionKind, section: SectionFacts, offset: number): void {
    for (const probe of this.#list) probe.sectionBegin(kind, section, offset);
  }
  sectionEnd(offset: number): void {
    for (const probe of this.#list) probe.sectionEnd(offset);
  }
  ping(value: number): void {
    for (const probe of this.#list) probe.ping(value);
  }
  pong(value: number): void {
    for (const probe of this.#list) probe.pong(value);
  }
  end(side: MigrationSide, error: unknown): void {
    for (const probe of this.#list) probe.end(side, error);
  }
}
