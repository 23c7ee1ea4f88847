/** What one or two traces say about a migration: the data behind every report. */
import { PAGE } from '../ram/blocks.ts';
import { alignClocks, type ClockAlignment } from './align.ts';
import type { MigrationSide } from './probe.ts';
import type { Trace, TraceParts, TraceRecord } from './schema.ts';

type Of<T extends TraceRecord['type']> = Extract<TraceRecord, { readonly type: T }>;

/** A pass over RAM. Times in ms since the source's trace began. */
export interface PassSummary {
  readonly pass: number;
  readonly begin: number;
  readonly ms: number;
  /** Pages dirtied since the pass before. */
  readonly dirtied: number;
  /** Bytes to send when it began. */
  readonly remaining: number;
  /** Bytes of the stream while it lasted. */
  readonly sent: number;
}

/** A moment of a window's end. */
export interface WindowSummary {
  readonly t: number;
  readonly ms: number;
  readonly remaining: number;
  /** Bytes per second in this window. */
  readonly rate: number;
  readonly throttle: number;
  readonly expectedDowntime: number;
}

/** A piece of the pause of the guest, on one side. */
export interface PauseStep {
  readonly side: MigrationSide;
  readonly name: string;
  /** ms since the source's trace began. */
  readonly begin: number;
  readonly ms: number;
  /** Bytes of a section. */
  readonly bytes?: number;
  /** What is inside another step is no time of its own. */
  readonly within?: boolean;
}

/** A migration as a whole. Times in ms, sizes in bytes. */
export interface MigrationSummary {
  readonly status: string;
  readonly error?: string;
  readonly machine?: string;
  readonly date: string;
  readonly channel: string;
  readonly capabilities: readonly string[];
  readonly sides: readonly MigrationSide[];
  readonly complete: boolean;
  /** From the channel to the end. */
  readonly totalMs: number;
  /** How long it took to get the channel. */
  readonly connectMs: number;
  readonly setupMs?: number;
  /** Pause of the guest: from its stop to its start over there when both sides are known, else as the source saw it. */
  readonly pauseMs?: number;
  /** Whether the pause is measured to the destination's start. */
  readonly pauseOfBoth: boolean;
  readonly bytes: {
    readonly total: number;
    readonly normal: number;
    readonly zero: number;
    readonly xbzrle: number;
    readonly multifd: number;
    readonly downtime: number;
    /** Pages sent whole, as zero, and encoded. */
    readonly normalPages: number;
    readonly zeroPages: number;
    readonly xbzrlePages: number;
  };
  readonly passes: readonly PassSummary[];
  /** Bytes per second that the guest dirtied between two passes. */
  readonly dirtied: readonly { readonly from: number; readonly to: number; readonly rate: number }[];
  readonly windows: readonly WindowSummary[];
  readonly throttle: readonly { readonly t: number; readonly percentage: number }[];
  readonly states: readonly { readonly side: MigrationSide; readonly t: number; readonly status: string }[];
  readonly pause: readonly PauseStep[];
  /** Sections that were sent while the guest ran. */
  readonly parts: readonly TraceParts[];
  readonly alignment?: ClockAlignment;
}

const SIDES: readonly MigrationSide[] = ['source', 'destination'];

/** Passes that follow each other sooner are taken together for rates, in ms. */
const SHORTEST_MS = 20;

/** Steps of the pause between two moments. */
const STEPS: Readonly<Record<MigrationSide, readonly (readonly [from: string, to: string, name: string])[]>> = {
  source: [
    ['stop', 'stopped', 'stop the guest'],
    ['stopped', 'inactivated', 'give up disks'],
    ['inactivated', 'saved', 'save RAM and devices'],
    ['saved', 'flushed', 'channel takes the rest'],
    ['flushed', 'committed', 'end mark'],
    ['committed', 'answered', 'destination answers'],
  ],
  destination: [
    ['loaded', 'activate', 'check, skip the description'],
    ['activate', 'started', 'take over disks, start'],
    ['loaded', 'started', 'check and land'],
  ],
};

/** Sums up a source's trace, a destination's, or both. */
export function summarize(traces: { readonly source?: Trace; readonly destination?: Trace }): MigrationSummary {
  const { source, destination } = traces;
  const main = source ?? destination;
  if (main === undefined) throw new RangeError('no trace to sum up');
  const alignment = source !== undefined && destination !== undefined ? alignClocks(source, destination) : undefined;
  const shift = alignment?.offset ?? 0;
  const end = last(main, 'end');
  const windows = ofType(main, 'window');
  const steps = [
    ...(source === undefined ? [] : pauseSteps(source, 'source', 0)),
    ...(destination === undefined || (source !== undefined && alignment === undefined)
      ? []
      : pauseSteps(destination, 'destination', shift)),
  ];
  const stop = point(source, 'stop');
  const started = point(destination, 'started');
  const both = stop !== undefined && started !== undefined && alignment !== undefined;
  const seen = point(source, 'answered') ?? point(source, 'committed');
  const pauseMs = both ? started + shift - stop : stop !== undefined && seen !== undefined ? seen - stop : undefined;
  const ram = end?.ram ?? windows.at(-1)?.ram;
  const passes = source === undefined ? [] : passesOf(source);
  const xbzrle = windows.findLast((window) => window.xbzrle !== undefined)?.xbzrle;
  return {
    status: last(main, 'status')?.status ?? 'unknown',
    ...(end?.error === undefined ? {} : { error: end.error }),
    ...(main.header.machine === undefined ? {} : { machine: main.header.machine }),
    date: main.header.date,
    channel: main.header.channel,
    capabilities: main.header.capabilities,
    sides: SIDES.filter((side) => traces[side] !== undefined),
    complete: [source, destination].every((trace) => trace?.complete !== false),
    totalMs: main.records.at(-1)?.t ?? 0,
    connectMs: Math.max(0, -(main.records[0]?.t ?? 0)),
    ...(end?.setupTime === undefined ? {} : { setupMs: end.setupTime }),
    ...(pauseMs === undefined ? {} : { pauseMs }),
    pauseOfBoth: both,
    bytes: {
      total: ram?.transferred ?? destinationBytes(destination),
      normal: ram?.['normal-bytes'] ?? 0,
      zero: (ram?.duplicate ?? 0) * 9,
      xbzrle: xbzrle?.bytes ?? 0,
      multifd: ram?.['multifd-bytes'] ?? 0,
      downtime: ram?.['downtime-bytes'] ?? 0,
      normalPages: ram?.normal ?? 0,
      zeroPages: ram?.duplicate ?? 0,
      xbzrlePages: xbzrle?.pages ?? 0,
    },
    passes,
    dirtied: dirtyRates(passes),
    windows: windows.map(({ t, ms, ram: figures, throttle, expectedDowntime }) => ({
      t,
      ms,
      remaining: figures.remaining,
      rate: (figures.mbps * 1e6) / 8,
      throttle,
      expectedDowntime,
    })),
    throttle: ofType(main, 'throttle').map(({ t, percentage }) => ({ t, percentage })),
    states: [
      ...(source === undefined
        ? []
        : ofType(source, 'status').map(({ t, status }) => ({ side: 'source' as const, t, status }))),
      ...(destination === undefined
        ? []
        : ofType(destination, 'status').map(({ t, status }) => ({
            side: 'destination' as const,
            t: t + shift,
            status,
          }))),
    ],
    pause: steps.sort((a, b) => SIDES.indexOf(a.side) - SIDES.indexOf(b.side) || a.begin - b.begin),
    parts: sumParts(main),
    ...(alignment === undefined ? {} : { alignment }),
  };
}

function passesOf(source: Trace): PassSummary[] {
  const passes = ofType(source, 'pass');
  const end = point(source, 'flushed') ?? source.records.at(-1)?.t ?? 0;
  const total = last(source, 'end')?.ram?.transferred ?? last(source, 'window')?.ram.transferred ?? 0;
  return passes.map(({ t, pass, dirtied, remaining, sent }, i) => {
    const next = passes[i + 1];
    const ms = (next?.t ?? end) - t;
    return { pass, begin: t, ms, dirtied, remaining, sent: Math.max(0, (next?.sent ?? total) - sent) };
  });
}

/** What the guest dirtied between passes, as far as they are far enough from each other to say something. */
function dirtyRates(passes: readonly PassSummary[]): { from: number; to: number; rate: number }[] {
  const rates: { from: number; to: number; rate: number }[] = [];
  let pages = 0;
  let from = passes[0]?.begin ?? 0;
  for (const { begin, dirtied } of passes.slice(1)) {
    pages += dirtied;
    if (begin - from < SHORTEST_MS) continue;
    rates.push({ from, to: begin, rate: (pages * PAGE * 1000) / (begin - from) });
    [pages, from] = [0, begin];
  }
  return rates;
}

/** The moments of the pause, and within them the sections. */
function pauseSteps(trace: Trace, side: MigrationSide, shift: number): PauseStep[] {
  const steps: PauseStep[] = [];
  for (const [from, to, name] of STEPS[side]) {
    const [begin, end] = [point(trace, from), point(trace, to)];
    if (begin === undefined || end === undefined) continue;
    // The guest stays stopped: there is no step between.
    if (name === 'check and land' && point(trace, 'activate') !== undefined) continue;
    steps.push({ side, name, begin: begin + shift, ms: end - begin });
  }
  const sections = ofType(trace, 'section').filter(({ kind }) => kind !== 'start');
  const stop = side === 'source' ? point(trace, 'stop') : undefined;
  for (const { kind, idstr, instance, t, ms, bytes } of sections) {
    // Sections that are sent early are no part of the pause.
    if (stop !== undefined && t < stop) continue;
    const name = `${kind === 'end' ? 'rest of ' : ''}${idstr}${instance === 0 ? '' : `/${instance}`}`;
    steps.push({ side, name, begin: t + shift, ms, bytes, within: side === 'source' });
  }
  return steps;
}

function destinationBytes(destination: Trace | undefined): number {
  if (destination === undefined) return 0;
  const last = ofType(destination, 'section').at(-1);
  return last === undefined ? 0 : last.offset + last.bytes;
}

function sumParts(trace: Trace): TraceParts[] {
  const sums = new Map<string, { idstr: string; instance: number; parts: number; bytes: number; ms: number }>();
  for (const record of trace.records) {
    if (record.type !== 'window' && record.type !== 'end') continue;
    for (const { idstr, instance, parts, bytes, ms } of record.parts) {
      const sum = sums.get(`${idstr}/${instance}`) ?? { idstr, instance, parts: 0, bytes: 0, ms: 0 };
      sums.set(`${idstr}/${instance}`, sum);
      sum.parts += parts;
      sum.bytes += bytes;
      sum.ms += ms;
    }
  }
  return [...sums.values()];
}

function ofType<T extends TraceRecord['type']>(trace: Trace, type: T): Of<T>[] {
  return trace.records.filter((record): record is Of<T> => record.type === type);
}

function last<T extends TraceRecord['type']>(trace: Trace, type: T): Of<T> | undefined {
  return trace.records.findLast((record): record is Of<T> => record.type === type);
}

function point(trace: Trace | undefined, name: string): number | undefined {
  return trace?.records.find((record) => record.type === 'point' && record.point === name)?.t;
}
