/**
 * How the clocks of both sides of a migration differ. A ping is on its way to the destination at once, and its answer
 * right after: halfway between sending and the answer is when the destination saw it, to within half of that time. The
 * ping that was answered soonest tells most.
 */
import type { Trace, TraceRecord } from './schema.ts';

/** What brings two traces together. */
export interface ClockAlignment {
  /** To be added to the destination's times, in ms. */
  readonly offset: number;
  /** How far off that may be at most, in ms; undefined when it is only known that effects follow their causes. */
  readonly uncertainty: number | undefined;
  /** Pings that were answered and seen by both. */
  readonly pings: number;
}

/** Aligns a destination's clock with its source's. Undefined when the traces have nothing in common. */
export function alignClocks(source: Trace, destination: Trace): ClockAlignment | undefined {
  const sent = times(source, 'ping');
  const answered = times(source, 'pong');
  let best: { readonly offset: number; readonly uncertainty: number } | undefined;
  let pings = 0;
  for (const [value, seen] of times(destination, 'ping')) {
    const [from, to] = [sent.get(value), answered.get(value)];
    if (from === undefined || to === undefined) continue;
    pings++;
    const uncertainty = (to - from) / 2;
    if (best === undefined || uncertainty < best.uncertainty) best = { offset: from + uncertainty - seen, uncertainty };
  }
  if (best !== undefined) return { ...best, pings };
  return byCauses(source, destination);
}

/** Without answers: no section is loaded before it is sent. The tightest of these bounds is taken. */
function byCauses(source: Trace, destination: Trace): ClockAlignment | undefined {
  const sent = sectionStarts(source);
  let offset: number | undefined;
  for (const [name, seen] of sectionStarts(destination)) {
    const from = sent.get(name);
    if (from !== undefined && (offset === undefined || from - seen > offset)) offset = from - seen;
  }
  return offset === undefined ? undefined : { offset, uncertainty: undefined, pings: 0 };
}

/** First time of each value. */
function times(trace: Trace, type: 'ping' | 'pong'): Map<number, number> {
  const result = new Map<number, number>();
  for (const record of trace.records)
    if (record.type === type && !result.has(record.value)) result.set(record.value, record.t);
  return result;
}

function sectionStarts(trace: Trace): Map<string, number> {
  const isSection = (record: TraceRecord) => record.type === 'section';
  return new Map(
    trace.records.filter(isSection).map(({ kind, idstr, instance, t }) => [`${kind} ${idstr}/${instance}`, t]),
  );
}
