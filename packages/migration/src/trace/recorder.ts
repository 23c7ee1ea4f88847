import { messageOf } from '../errors.ts';
import type { MigrationCounters } from '../info.ts';
import { PAGE } from '../ram/blocks.ts';
import type { SectionFacts, SectionKind } from '../stream/section-probe.ts';
import type { AttemptFacts, MigrationProbe, MigrationSide, TracePoint } from './probe.ts';
import { TRACE_VERSION, type TraceHeader, type TraceParts, type TraceRecord } from './schema.ts';

/** Time between two handovers to the sink, in ms. */
const HAND_OVER_MS = 1000;

/** What a recorder needs. */
export interface RecorderOptions {
  /** The injected monotonic clock, in ms. */
  readonly now: () => number;
  /** The date, for people. */
  readonly date: () => Date;
  /** Who writes the trace. */
  readonly by: string;
  readonly machine?: string | undefined;
  /**
   * Takes lines in order. Called once a second while the guest runs and at the end, never while it stands still.
   *
   * @param first a new trace begins with these lines
   * @param last the trace ends with them
   */
  readonly sink: (lines: string, first: boolean, last: boolean) => void;
}

interface OpenParts {
  readonly idstr: string;
  readonly instance: number;
  parts: number;
  bytes: number;
  ms: number;
}

/** Records migrations, one trace for each. Lines are made when they are handed over, not where they happen. */
export class TraceRecorder implements MigrationProbe {
  readonly pings = true;
  readonly #options: RecorderOptions;
  #lines: (TraceHeader | TraceRecord)[] = [];
  #clock = 0;
  #begun = false;
  #first = true;
  #handedOver = 0;
  #counters: MigrationCounters | undefined;
  /** States before the channel was there. */
  #early: { readonly at: number; readonly status: string }[] = [];
  readonly #parts = new Map<string, OpenParts>();
  #section: SectionFacts | undefined;
  #kind: SectionKind = 'full';
  #sectionAt = 0;
  #sectionOffset = 0;

  constructor(options: RecorderOptions) {
    this.#options = options;
  }

  /** Whether a migration is being recorded. */
  get recording(): boolean {
    return this.#begun;
  }

  begin({ side, channel, capabilities, counters }: AttemptFacts): void {
    const { now, date, by, machine } = this.#options;
    this.#clock = now();
    this.#begun = true;
    this.#first = true;
    this.#counters = counters;
    this.#parts.clear();
    this.#section = undefined;
    this.#handedOver = this.#clock;
    const header: TraceHeader = {
      type: 'trace',
      version: TRACE_VERSION,
      side,
      by,
      ...(machine === undefined ? {} : { machine }),
      date: date().toISOString(),
      clock: this.#clock,
      channel,
      capabilities,
    };
    this.#lines = [header];
    for (const { at, status } of this.#early) this.#lines.push({ type: 'status', t: at - this.#clock, status });
    this.#early = [];
  }

  status(_side: MigrationSide, status: string): void {
    if (this.#begun) this.#lines.push({ type: 'status', t: this.#now(), status });
    else {
      // A new attempt: what was left of one without a channel is old.
      if (status === 'setup') this.#early = [];
      this.#early.push({ at: this.#options.now(), status });
    }
  }

  point(point: TracePoint): void {
    this.#lines.push({ type: 'point', t: this.#now(), point });
  }

  pass(pass: number, dirtied: number, remaining: number, sent: number): void {
    this.#lines.push({ type: 'pass', t: this.#now(), pass, dirtied, remaining, sent });
  }

  window(ms: number): void {
    const counters = this.#counters;
    if (counters === undefined) return;
    const xbzrle = encodedPages(counters);
    this.#lines.push({
      type: 'window',
      t: this.#now(),
      ms,
      ram: counters.stats(false),
      ...(xbzrle.pages === 0 ? {} : { xbzrle }),
      expectedDowntime: counters.expectedDowntime,
      throttle: counters.throttlePercentage,
      parts: this.#takeParts(),
    });
    if (this.#options.now() - this.#handedOver >= HAND_OVER_MS) this.#handOver(false);
  }

  throttle(percentage: number): void {
    this.#lines.push({ type: 'throttle', t: this.#now(), percentage });
  }

  sectionBegin(kind: SectionKind, section: SectionFacts, offset: number): void {
    this.#section = section;
    this.#kind = kind;
    this.#sectionOffset = offset;
    this.#sectionAt = this.#options.now();
  }

  sectionEnd(offset: number): void {
    const section = this.#section;
    if (section === undefined) return;
    this.#section = undefined;
    const ms = this.#options.now() - this.#sectionAt;
    const bytes = offset - this.#sectionOffset;
    const { id, idstr, instanceId: instance } = section;
    if (this.#kind === 'part') this.#addPart(idstr, instance, bytes, ms);
    else {
      const t = this.#sectionAt - this.#clock;
      const [kind, at] = [this.#kind, this.#sectionOffset];
      this.#lines.push({ type: 'section', t, ms, kind, idstr, instance, id, offset: at, bytes });
    }
  }

  ping(value: number): void {
    this.#lines.push({ type: 'ping', t: this.#now(), value });
  }

  pong(value: number): void {
    this.#lines.push({ type: 'pong', t: this.#now(), value });
  }

  end(_side: MigrationSide, error: unknown): void {
    // Without a channel there was nothing to trace.
    if (!this.#begun) return;
    const counters = this.#counters;
    this.#lines.push({
      type: 'end',
      t: this.#now(),
      ...(error === undefined ? {} : { error: messageOf(error) }),
      ...(counters === undefined ? {} : { ram: counters.stats(error === undefined) }),
      ...(counters?.downtime === undefined ? {} : { downtime: counters.downtime }),
      ...(counters?.setupTime === undefined ? {} : { setupTime: counters.setupTime }),
      ...(counters?.totalTime === undefined ? {} : { totalTime: counters.totalTime }),
      parts: this.#takeParts(),
    });
    this.#handOver(true);
    this.#begun = false;
    this.#counters = undefined;
  }

  #now(): number {
    return this.#options.now() - this.#clock;
  }

  #addPart(idstr: string, instance: number, bytes: number, ms: number): void {
    const key = `${idstr}/${instance}`;
    let open = this.#parts.get(key);
    if (open === undefined) {
      open = { idstr, instance, parts: 0, bytes: 0, ms: 0 };
      this.#parts.set(key, open);
    }
    open.parts++;
    open.bytes += bytes;
    open.ms += ms;
  }

  #takeParts(): TraceParts[] {
    const parts = [...this.#parts.values()];
    this.#parts.clear();
    return parts;
  }

  #handOver(last: boolean): void {
    const text = this.#lines.map((line) => `${JSON.stringify(line, rounded)}\n`).join('');
    this.#lines = [];
    this.#handedOver = this.#options.now();
    this.#options.sink(text, this.#first, last);
    this.#first = false;
  }
}

/** Pages that went encoded: those that had changed too much went whole, and count as such. */
export function encodedPages(counters: MigrationCounters): { bytes: number; pages: number } {
  const { bytes, pages, overflow } = counters.xbzrle.stats(0);
  return { bytes: bytes - overflow * PAGE, pages: pages - overflow };
}

/** Microseconds are enough. */
function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Math.round(value * 1000) / 1000 : value;
}
