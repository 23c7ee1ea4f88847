import { describe, expect, test } from 'vitest';
import { alignClocks } from '../../src/trace/align.ts';
import { MigrationMetrics } from '../../src/trace/metrics.ts';
import { otlpMetrics } from '../../src/trace/otlp.ts';
import { type MigrationProbe, MigrationProbes, TRACE_POINTS } from '../../src/trace/probe.ts';
import { readTrace } from '../../src/trace/read.ts';
import { TraceRecorder } from '../../src/trace/recorder.ts';
import type { Trace, TraceRecord } from '../../src/trace/schema.ts';
import { summarize } from '../../src/trace/summary.ts';
import { Pair } from '../support/pair.ts';

/** Keeps what a recorder hands over. */
class Tape {
  text = '';
  readonly handovers: string[] = [];
  readonly recorder: TraceRecorder;

  constructor(now: () => number, ahead = 0) {
    this.recorder = new TraceRecorder({
      now: () => now() + ahead,
      date: () => new Date(0),
      by: 'test',
      machine: 'box',
      sink: (lines, first) => {
        this.text = first ? lines : this.text + lines;
        this.handovers.push(lines);
      },
    });
  }
  get trace(): Trace {
    return readTrace(this.text, 'tape');
  }
}

/** A migration with a tape on both sides; the destination's clock is ahead. */
async function traced(options: { returnPath?: boolean; ahead?: number } = {}) {
  const pair = new Pair({ bytesPerMs: 5000 });
  const now = () => pair.loop.pace.now();
  const [source, destination] = [new Tape(now), new Tape(now, options.ahead ?? 0)];
  pair.out.probes.add(source.recorder);
  pair.in.probes.add(destination.recorder);
  if (options.returnPath !== false)
    for (const side of [pair.out, pair.in]) side.setCapabilities([{ capability: 'return-path', state: true }]);
  const base = pair.source.block('fake.ram').hostOffset;
  let at = 0;
  pair.loop.onTick = () => {
    for (let i = 0; i < 10 && pair.source.runState === 'running'; i++) {
      at = (at + 8192) % 2 ** 22;
      pair.source.guestWrite(base + at, i);
    }
  };
  await pair.migrate();
  return { pair, source, destination };
}

const ofType = <T extends TraceRecord['type']>({ records }: Trace, type: T) =>
  records.filter((record): record is Extract<TraceRecord, { readonly type: T }> => record.type === type);

describe('a trace', () => {
  test('has states, passes, sections and the moments of the switchover of both sides, in order', async () => {
    const { pair, source, destination } = await traced();
    const [out, into] = [source.trace, destination.trace];
    expect(out.header).toMatchObject({ type: 'trace', version: 1, side: 'source', by: 'test', machine: 'box' });
    expect(out.header.capabilities).toContain('return-path');
    expect(ofType(out, 'status').map(({ status }) => status)).toEqual(['setup', 'active', 'device', 'completed']);
    expect(ofType(into, 'status').map(({ status }) => status)).toEqual(['setup', 'active', 'completed']);
    expect(ofType(out, 'point').map(({ point }) => point)).toEqual(TRACE_POINTS.source);
    expect(ofType(into, 'point').map(({ point }) => point)).toEqual(TRACE_POINTS.destination);
    const passes = ofType(out, 'pass');
    expect(passes.map(({ pass }) => pass)).toEqual(passes.map((_, i) => i + 1));
    expect(passes).toHaveLength(pair.out.query().ram!['dirty-sync-count']);
    const names = (trace: Trace) =>
      ofType(trace, 'section').map(({ kind, idstr, instance, bytes }) => [kind, idstr, instance, bytes > 0]);
    expect(names(out).length).toBeGreaterThan(3);
    expect(names(into)).toEqual(names(out));
    for (const trace of [out, into]) {
      const times = ofType(trace, 'point').map(({ t }) => t);
      expect(times).toEqual([...times].sort((a, b) => a - b));
      expect(trace.complete).toBe(true);
    }
    // Sections and parts together are the stream, but for its header, commands, end mark and description.
    const end = ofType(out, 'end')[0]!;
    const parts = [...ofType(out, 'window'), end].flatMap((record) => record.parts);
    const sum = [...ofType(out, 'section'), ...parts].reduce((bytes, part) => bytes + part.bytes, 0);
    expect(sum).toBeLessThanOrEqual(end.ram!.transferred);
    expect(sum).toBeGreaterThan(end.ram!.transferred - 20_000);
  });

  test('of a failed migration says why', async () => {
    const pair = new Pair({ destinationBlocks: [['fake.ram', 2 ** 20]] });
    const tape = new Tape(() => pair.loop.pace.now());
    const there = new Tape(() => pair.loop.pace.now());
    pair.out.probes.add(tape.recorder);
    pair.in.probes.add(there.recorder);
    const both = pair.start();
    await pair.loop.run(Promise.allSettled([both.out, both.in]));
    expect(ofType(there.trace, 'end')[0]!.error).toContain('fake.ram');
    expect(ofType(tape.trace, 'end')[0]!.error).toBeDefined();
    expect(summarize({ source: tape.trace })).toMatchObject({ status: 'failed', complete: true });
  });

  test('does not change what is sent, but for pings where there are answers', async () => {
    const bytes = async (observe: boolean) => {
      const pair = new Pair();
      if (observe) {
        pair.out.probes.add(new Tape(() => pair.loop.pace.now()).recorder);
        pair.in.probes.add(new Tape(() => pair.loop.pace.now()).recorder);
      }
      await pair.migrate();
      return pair.out.query().ram!.transferred;
    };
    expect(await bytes(true)).toBe(await bytes(false));
  });

  test('hands nothing over while the guest stands still', async () => {
    const { source } = await traced();
    expect(source.handovers.length).toBeGreaterThan(0);
    for (const lines of source.handovers.slice(0, -1)) expect(lines).not.toContain('"point"');
    expect(source.trace.records.at(-1)!.type).toBe('end');
  });
});

describe('clocks', () => {
  test('are brought together by pings', async () => {
    const { source, destination } = await traced({ ahead: 12_345.678 });
    const aligned = alignClocks(source.trace, destination.trace)!;
    expect(aligned.pings).toBeGreaterThan(0);
    const summary = summarize({ source: source.trace, destination: destination.trace });
    expect(summary.pauseOfBoth).toBe(true);
    expect(summary.pauseMs!).toBeGreaterThan(0);
    // The destination cannot run the guest before it stands still here, nor be later than its answer was heard.
    expect(summary.pauseMs!).toBeLessThan(summarize({ source: source.trace }).pauseMs! + 2 * aligned.uncertainty! + 1);
  });

  test('without answers by causes and their effects', async () => {
    const { source, destination } = await traced({ returnPath: false });
    const aligned = alignClocks(source.trace, destination.trace)!;
    expect(aligned.uncertainty).toBeUndefined();
    const sent = new Map(ofType(source.trace, 'section').map(({ idstr, kind, t }) => [`${kind} ${idstr}`, t]));
    for (const { idstr, kind, t } of ofType(destination.trace, 'section'))
      expect(t + aligned.offset).toBeGreaterThanOrEqual(sent.get(`${kind} ${idstr}`)! - 1e-6);
  });

  test('of traces that have nothing in common are not', () => {
    const empty: Trace = {
      header: {
        type: 'trace',
        version: 1,
        side: 'source',
        by: '',
        date: '',
        clock: 0,
        channel: '',
        capabilities: [],
      },
      records: [],
      complete: false,
    };
    expect(alignClocks(empty, empty)).toBeUndefined();
    expect(summarize({ source: empty, destination: empty }).pauseMs).toBeUndefined();
  });
});

describe('reading', () => {
  test('a trace that is cut goes as far as it does', async () => {
    const { source } = await traced();
    for (let length = source.text.indexOf('\n') + 1; length < source.text.length; length += 37) {
      const trace = readTrace(source.text.slice(0, length), 'cut');
      expect(trace.complete).toBe(false);
      expect(() => summarize({ source: trace })).not.toThrow();
    }
  });

  test.for([
    ['nothing', '', 'the file is empty'],
    ['text', 'hello\n', 'this is no trace'],
    ['other JSON', '{"type":"x"}\n', 'this is no trace'],
    ['a newer version', '{"type":"trace","version":2,"side":"source"}\n', 'version 2, known is 1'],
    ['no side', '{"type":"trace","version":1}\n', "side 'undefined'"],
    ['a record without time', '{"type":"trace","version":1,"side":"source"}\n{"type":"pass"}\n', 'line 2'],
    ['a record without figures', '{"type":"trace","version":1,"side":"source"}\n{"type":"pass","t":1}\n', "'pass'"],
  ] as const)('%s is refused', ([, text, message]) => {
    expect(() => readTrace(text, 'file')).toThrow(message);
  });

  test('leaves out what it does not know', () => {
    const trace = readTrace('{"type":"trace","version":1,"side":"source","more":1}\n{"type":"new","t":1}\n', 'file');
    expect(trace.records).toEqual([]);
  });
});

describe('probes', () => {
  test('cost nothing when nobody listens, and several are told alike', () => {
    const probes = new MigrationProbes();
    expect(probes.active).toBeUndefined();
    const calls: string[] = [];
    const probe = (name: string): MigrationProbe =>
      new Proxy({} as MigrationProbe, {
        get: (_, key) =>
          key === 'pings' ? name === 'b' : (...args: unknown[]) => calls.push(`${name} ${String(key)} ${args.length}`),
      });
    const one = probes.add(probe('a'));
    using _two = probes.add(probe('b'));
    const both = probes.active!;
    expect(both.pings).toBe(true);
    both.begin({ side: 'source', channel: '', capabilities: [], counters: undefined });
    both.status('source', 'setup');
    both.point('stop');
    both.pass(1, 2, 3, 4);
    both.window(100);
    both.throttle(20);
    both.sectionBegin('full', { id: 1, idstr: 'x', instanceId: 0 }, 5);
    both.sectionEnd(9);
    both.ping(1);
    both.pong(1);
    both.end('source', undefined);
    const of = (name: string) => calls.filter((call) => call.startsWith(name)).map((call) => call.slice(2));
    expect(of('a')).toEqual(of('b'));
    expect(of('a')).toHaveLength(11);
    one[Symbol.dispose]();
    expect(probes.active!.pings).toBe(true);
  });

  test('metrics count migrations, bytes, pages and times', async () => {
    const pair = new Pair();
    const now = () => pair.loop.pace.now();
    const [out, into] = [new MigrationMetrics(now, 1n), new MigrationMetrics(now, 1n)];
    pair.out.probes.add(out);
    pair.in.probes.add(into);
    await pair.migrate();
    const { ram } = pair.out.query();
    const value = (metrics: MigrationMetrics, name: string, ...attributes: string[]) =>
      metrics.numbers[
        metrics.values.findIndex(
          (row) => row.name === name && attributes.every((text) => Object.values(row.attributes).includes(text)),
        )
      ];
    expect(value(out, 'sterna.migration.attempts', 'source')).toBe(1);
    expect(value(out, 'sterna.migration.failures', 'source')).toBe(0);
    expect(value(out, 'sterna.migration.ram.pages', 'normal')).toBe(ram!.normal);
    expect(value(out, 'sterna.migration.ram.pages', 'zero')).toBe(ram!.duplicate);
    expect(value(out, 'sterna.migration.ram.passes')).toBe(ram!['dirty-sync-count']);
    expect(value(out, 'sterna.migration.network.io', 'source')).toBe(ram!.transferred);
    expect(value(into, 'sterna.migration.network.io', 'destination')).toBeGreaterThan(0);
    const histogram = (metrics: MigrationMetrics, name: string) =>
      metrics.histograms.filter(({ instrument, count }) => instrument.name === name && count > 0);
    expect(histogram(out, 'sterna.migration.downtime')).toHaveLength(1);
    expect(histogram(into, 'sterna.migration.section.duration')[0]!.count).toBeGreaterThan(3);
    for (const { counts, count, bounds } of out.histograms) {
      expect(counts.reduce((sum, bucket) => sum + bucket, 0)).toBe(count);
      expect(counts).toHaveLength(bounds.length + 1);
    }
  });

  test('metrics have the form that OpenTelemetry collectors take', async () => {
    const pair = new Pair();
    const metrics = new MigrationMetrics(() => pair.loop.pace.now(), 5n);
    pair.out.probes.add(metrics);
    await pair.migrate();
    const otlp = otlpMetrics(metrics, { 'service.name': 'sterna' }, 9n) as {
      resourceMetrics: { resource: object; scopeMetrics: { metrics: Record<string, { dataPoints?: object[] }>[] }[] }[];
    };
    const list = otlp.resourceMetrics[0]!.scopeMetrics[0]!.metrics;
    expect(new Set(list.map(({ name }) => name)).size).toBe(list.length);
    for (const metric of list) {
      const kinds = ['sum', 'gauge', 'histogram'].filter((kind) => metric[kind] !== undefined);
      expect(kinds).toHaveLength(1);
      for (const point of metric[kinds[0]!]!.dataPoints!)
        expect(point).toMatchObject({ startTimeUnixNano: '5', timeUnixNano: '9', attributes: expect.any(Array) });
    }
  });
});
