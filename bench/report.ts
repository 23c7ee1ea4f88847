import type { Row, SubjectId } from './measure.ts';
import { columns, geometricMean, median } from './stats.ts';
import { type Bits, PROGRAMS } from './suite.ts';

/** How many times as fast as a peer we are in one row, from pairs of the same round; `undefined` without both. */
export function speedAgainst(row: Row, peer: SubjectId, kind: 'seconds' | 'steady' = 'seconds'): number | undefined {
  const ours = row[kind]['sterna'];
  const theirs = row[kind][peer];
  if (ours === undefined || theirs === undefined) return undefined;
  const pairs = Math.min(ours.length, theirs.length);
  return median(Array.from({ length: pairs }, (_, i) => theirs[i]! / ours[i]!));
}

function speeds(rows: readonly Row[], peer: SubjectId, kind: 'seconds' | 'steady' = 'seconds'): number[] {
  return rows.map((row) => speedAgainst(row, peer, kind)).filter((speed) => speed !== undefined);
}

/** Table of one set of rows: our median seconds, and our speed as a multiple of each peer's (programs: whole run / steady). */
export function speedTable(title: string, rows: readonly Row[], peers: readonly SubjectId[]): string {
  const number = (speed: number | undefined): string => (speed === undefined ? '-' : speed.toFixed(2));
  const hasSteady = rows.some((row) => row.steady['sterna'] !== undefined);
  const cell = (whole: number | undefined, steady: number | undefined): string =>
    hasSteady ? `${number(whole)} / ${number(steady)}` : number(whole);
  const means = (members: readonly Row[], peer: SubjectId): string =>
    cell(geometricMean(speeds(members, peer)), geometricMean(speeds(members, peer, 'steady')));
  const lines: string[][] = [[title, 'Sterna', ...peers.map((peer) => `x ${peer}${hasSteady ? ', steady' : ''}`)]];
  const groups = [...new Set(rows.map((row) => row.group))];
  for (const group of groups) {
    const members = rows.filter((row) => row.group === group);
    for (const row of members) {
      const ours = row.seconds['sterna'];
      lines.push([
        `  ${row.name}`,
        ours === undefined ? 'failed' : `${median(ours).toFixed(3)} s`,
        ...peers.map((peer) => cell(speedAgainst(row, peer), speedAgainst(row, peer, 'steady'))),
      ]);
    }
    lines.push([group, '', ...peers.map((peer) => means(members, peer))]);
  }
  lines.push(['all', '', ...peers.map((peer) => means(rows, peer))]);
  const errors = rows.flatMap((row) =>
    Object.entries(row.errors).map(([id, error]) => `${row.name} (${row.bits}) on ${id}: ${error.slice(0, 400)}`),
  );
  return [columns(lines), ...errors].join('\n');
}

/** One figure that has to be reached. */
export interface Requirement {
  readonly text: string;
  /** The whole run's figure; the start of the program and its translation included. */
  readonly value: number | undefined;
  /** The figure at the pace of a run's second half, for programs. It has to hold too. */
  readonly steady?: number | undefined;
  readonly limit: number;
  /** Whether the limit is the least or the most. */
  readonly bound: 'least' | 'most';
  readonly holds: boolean;
}

/** A requirement judged by its figures; one without a figure does not hold. */
export function requirement(
  text: string,
  bound: 'least' | 'most',
  limit: number,
  value: number | undefined,
  steady?: number,
): Requirement {
  const within = (figure: number): boolean => (bound === 'least' ? figure >= limit : figure <= limit);
  const holds = value !== undefined && within(value) && (steady === undefined || within(steady));
  return { text, value, ...(steady === undefined ? {} : { steady }), limit, bound, holds };
}

type Summary = (members: readonly Row[], peer: SubjectId, kind?: 'seconds' | 'steady') => number | undefined;
const mean: Summary = (members, peer, kind) => (failed(members) ? 0 : geometricMean(speeds(members, peer, kind)));
const slowest: Summary = (members, peer, kind) => {
  const all = speeds(members, peer, kind);
  return failed(members) ? 0 : all.length > 0 ? Math.min(...all) : undefined;
};

/** A row that we failed counts as speed 0. */
function failed(members: readonly Row[]): boolean {
  return members.some((row) => row.errors['sterna'] !== undefined);
}

/** What must hold of loops and programs, as far as the rows were measured. */
export function requirements(rows: readonly Row[], tcg: SubjectId): Requirement[] {
  const found: Requirement[] = [];
  const check = (text: string, members: readonly Row[], summary: Summary, peer: SubjectId, limit: number): void => {
    if (members.length === 0) return;
    const steady = summary(members, peer, 'steady');
    found.push(requirement(text, 'least', limit, summary(members, peer), steady));
  };
  const group = (name: string, bits?: Bits): Row[] =>
    rows.filter((row) => row.group === name && (bits === undefined || row.bits === bits));
  const programs = (bits: Bits): Row[] =>
    rows.filter((row) => row.bits === bits && PROGRAMS.some(({ name }) => name === row.name));
  check('1. hot integer loops against TCG', group('integer loops'), mean, tcg, 1.6);
  check('1. hot integer loops, the slowest', group('integer loops'), slowest, tcg, 0.9);
  check('2. 64-bit programs against TCG', programs(64), mean, tcg, 1.3);
  check('2. 64-bit programs, the slowest', programs(64), slowest, tcg, 0.5);
  check('2. 64-bit system work', group('system work', 64), mean, tcg, 0.7);
  check('3. 32-bit programs against v86', programs(32), mean, 'v86', 1.5);
  check('3. 32-bit programs, the slowest', programs(32), slowest, 'v86', 0.8);
  check('4. SSE2 double loops against TCG, the slowest', group('SSE2 double loops'), slowest, tcg, 4);
  check('4. REP MOVS and STOS against the host, the slowest', group('REP MOVS and STOS'), slowest, 'native', 0.5);
  check('4. SSE2 copy loops against TCG, the slowest', group('SSE2 copy loops'), slowest, tcg, 6);
  return found;
}

/** The requirements with pass or fail, for people. */
export function requirementTable(found: readonly Requirement[]): string {
  const figure = (value: number | undefined): string => (value === undefined ? '-' : value.toFixed(2));
  return columns([
    ['must hold', '', 'whole', 'steady', ''],
    ...found.map(({ text, value, steady, limit, bound, holds }) => [
      holds ? 'pass' : value === undefined ? 'not measured' : 'FAIL',
      text,
      figure(value),
      figure(steady),
      `at ${bound} ${limit}`,
    ]),
  ]);
}
