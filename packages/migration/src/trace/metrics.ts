/**
 * Counters, gauges and histograms of migrations, named in the style of OpenTelemetry's semantic conventions (units in
 * UCUM). They are plain arrays that a probe adds to and an exporter reads whenever it likes; nothing is allocated
 * while a migration runs, and no SDK is needed. `otlp.ts` turns them into OTLP.
 */
import type { MigrationCounters } from '../info.ts';
import type { SectionFacts, SectionKind } from '../stream/section-probe.ts';
import type { AttemptFacts, MigrationProbe, MigrationSide, TracePoint } from './probe.ts';
import { encodedPages } from './recorder.ts';

/** What an instrument measures. */
export interface Instrument {
  readonly name: string;
  /** UCUM unit. */
  readonly unit: string;
  readonly description: string;
}

/** Counters and gauges by their place in {@link MigrationMetrics.values}; each may have attributes. */
const VALUES = [
  value('counter', 'sterna.migration.attempts', '{attempt}', 'Migrations that have begun', 'source'),
  value('counter', 'sterna.migration.attempts', '{attempt}', 'Migrations that have begun', 'destination'),
  value('counter', 'sterna.migration.failures', '{attempt}', 'Migrations that have failed or were cancelled', 'source'),
  value(
    'counter',
    'sterna.migration.failures',
    '{attempt}',
    'Migrations that have failed or were cancelled',
    'destination',
  ),
  value('counter', 'sterna.migration.network.io', 'By', 'Bytes of streams, all channels together', 'source'),
  value('counter', 'sterna.migration.network.io', 'By', 'Bytes of streams, all channels together', 'destination'),
  value('counter', 'sterna.migration.ram.pages', '{page}', 'Pages sent', 'source', 'zero'),
  value('counter', 'sterna.migration.ram.pages', '{page}', 'Pages sent', 'source', 'normal'),
  value('counter', 'sterna.migration.ram.pages', '{page}', 'Pages sent', 'source', 'xbzrle'),
  value('counter', 'sterna.migration.ram.passes', '{pass}', 'Passes over RAM', 'source'),
  value('counter', 'sterna.migration.ram.dirtied', '{page}', 'Pages the guest dirtied while it was moved', 'source'),
  value('gauge', 'sterna.migration.ram.remaining', 'By', 'Bytes that wait to be sent', 'source'),
  value(
    'gauge',
    'sterna.migration.cpu.throttle',
    '1',
    'Share of time in which the guest is kept from running',
    'source',
  ),
] as const;

/** Places in the list above. */
const AT = {
  attempts: { source: 0, destination: 1 },
  failures: { source: 2, destination: 3 },
  io: { source: 4, destination: 5 },
  zero: 6,
  normal: 7,
  xbzrle: 8,
  passes: 9,
  dirtied: 10,
  remaining: 11,
  throttle: 12,
} as const;

/** Upper bounds of durations, in s. */
const SECONDS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300];
/** Upper bounds of sizes, in bytes. */
const BYTES = [64, 256, 1024, 4096, 16384, 65536, 2 ** 20, 2 ** 24, 2 ** 28, 2 ** 32];

/** A value that a counter or gauge has. */
export interface MetricValue extends Instrument {
  readonly kind: 'counter' | 'gauge';
  readonly attributes: Readonly<Record<string, string>>;
}

/** Numbers in buckets. */
export class Histogram {
  readonly instrument: Instrument;
  readonly attributes: Readonly<Record<string, string>>;
  /** Upper bound of each bucket but the last. */
  readonly bounds: readonly number[];
  readonly counts: Float64Array;
  sum = 0;
  count = 0;
  min = Number.POSITIVE_INFINITY;
  max = Number.NEGATIVE_INFINITY;

  constructor(instrument: Instrument, bounds: readonly number[], attributes: Readonly<Record<string, string>>) {
    this.instrument = instrument;
    this.bounds = bounds;
    this.attributes = attributes;
    this.counts = new Float64Array(bounds.length + 1);
  }

  record(number: number): void {
    let bucket = 0;
    while (bucket < this.bounds.length && number > this.bounds[bucket]!) bucket++;
    this.counts[bucket]!++;
    this.sum += number;
    this.count++;
    if (number < this.min) this.min = number;
    if (number > this.max) this.max = number;
  }
}

const both = (name: string, unit: string, description: string, bounds: readonly number[]) => ({
  source: new Histogram({ name, unit, description }, bounds, { 'sterna.migration.side': 'source' }),
  destination: new Histogram({ name, unit, description }, bounds, { 'sterna.migration.side': 'destination' }),
});

/** Measures the migrations of one process. Add it to a controller's `probes`. */
export class MigrationMetrics implements MigrationProbe {
  /** What each number of {@link MigrationMetrics.numbers} is. */
  readonly values: readonly MetricValue[] = VALUES;
  readonly numbers: Float64Array = new Float64Array(VALUES.length);
  /** When it began to count, in ns since 1970. */
  readonly startNs: bigint;
  readonly #now: () => number;
  readonly #duration = both('sterna.migration.duration', 's', 'From the channel to the end', SECONDS);
  readonly #pass = both('sterna.migration.ram.pass.duration', 's', 'A pass over RAM', SECONDS);
  readonly #downtime = both('sterna.migration.downtime', 's', 'Pause of the guest', SECONDS);
  readonly #sectionTime = both('sterna.migration.section.duration', 's', 'Saving or loading a section', SECONDS);
  readonly #sectionSize = both('sterna.migration.section.size', 'By', 'Bytes of a section', BYTES);
  #side: MigrationSide = 'source';
  #counters: MigrationCounters | undefined;
  #beganAt = 0;
  #passAt = 0;
  #stoppedAt = 0;
  #pauseEnds = 0;
  #sectionAt = 0;
  #sectionOffset = 0;
  /** What this attempt's counters showed when they were added up last. */
  readonly #seen = new Float64Array(VALUES.length);

  /** @param now the injected monotonic clock, in ms; @param startNs the date, in ns since 1970 */
  constructor(now: () => number, startNs: bigint) {
    this.#now = now;
    this.startNs = startNs;
  }

  /** All histograms. */
  get histograms(): readonly Histogram[] {
    return [this.#duration, this.#pass, this.#downtime, this.#sectionTime, this.#sectionSize].flatMap(
      ({ source, destination }) => [source, destination],
    );
  }

  begin({ side, counters }: AttemptFacts): void {
    this.#side = side;
    this.#counters = counters;
    this.#seen.fill(0);
    this.#beganAt = this.#now();
    this.#passAt = 0;
    this.numbers[AT.attempts[side]]!++;
  }

  status(): void {}

  point(point: TracePoint): void {
    if (point === 'stop') this.#stoppedAt = this.#now();
    // The answer comes later, and only where the destination can be heard.
    else if (point === 'committed' || point === 'answered') this.#pauseEnds = this.#now();
  }

  pass(_pass: number, dirtied: number, remaining: number): void {
    const now = this.#now();
    if (this.#passAt !== 0) this.#pass.source.record((now - this.#passAt) / 1000);
    this.#passAt = now;
    this.numbers[AT.passes]!++;
    this.numbers[AT.dirtied]! += dirtied;
    this.numbers[AT.remaining] = remaining;
  }

  window(): void {
    this.#addUp();
  }

  throttle(percentage: number): void {
    this.numbers[AT.throttle] = percentage / 100;
  }

  sectionBegin(_kind: SectionKind, _section: SectionFacts, offset: number): void {
    this.#sectionAt = this.#now();
    this.#sectionOffset = offset;
  }

  sectionEnd(offset: number): void {
    const bytes = offset - this.#sectionOffset;
    this.#sectionTime[this.#side].record((this.#now() - this.#sectionAt) / 1000);
    this.#sectionSize[this.#side].record(bytes);
    if (this.#side === 'destination') this.numbers[AT.io.destination]! += bytes;
  }

  ping(): void {}
  pong(): void {}

  end(side: MigrationSide, error: unknown): void {
    if (error !== undefined) this.numbers[AT.failures[side]]!++;
    if (this.#beganAt === 0) return;
    this.#addUp();
    this.#duration[side].record((this.#now() - this.#beganAt) / 1000);
    if (error === undefined && this.#stoppedAt !== 0)
      this.#downtime[side].record((this.#pauseEnds - this.#stoppedAt) / 1000);
    this.numbers[AT.remaining] = 0;
    this.numbers[AT.throttle] = 0;
    this.#counters = undefined;
    this.#stoppedAt = 0;
    this.#beganAt = 0;
  }

  /** Takes over what the attempt has counted since the last time. */
  #addUp(): void {
    const counters = this.#counters;
    if (counters === undefined) return;
    this.#grow(AT.io.source, counters.transferred);
    this.#grow(AT.zero, counters.zeroPages);
    this.#grow(AT.normal, counters.normalPages);
    this.#grow(AT.xbzrle, encodedPages(counters).pages);
    this.numbers[AT.remaining] = counters.remaining;
  }

  #grow(at: number, total: number): void {
    this.numbers[at]! += total - this.#seen[at]!;
    this.#seen[at] = total;
  }
}

function value(
  kind: 'counter' | 'gauge',
  name: string,
  unit: string,
  description: string,
  side: MigrationSide,
  page?: string,
): MetricValue {
  const attributes = {
    'sterna.migration.side': side,
    ...(page === undefined ? {} : { 'sterna.migration.page.kind': page }),
  };
  return { kind, name, unit, description, attributes };
}
