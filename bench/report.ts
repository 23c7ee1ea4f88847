import type { Row, SubjectId } from './measure.ts';
import { columns, geometricMean, median } from './stats.ts';

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

/** Table of one set of rows: our median seconds, and our speed as a multiple of each peer's. */
export function speedTable(title: string, rows: readonly Row[], peers: readonly SubjectId[]): string {
  const cell = (speed: number | undefined): string => (speed === undefined ? '-' : speed.toFixed(2));
  const lines: string[][] = [[title, 'Sterna', ...peers.map((peer) => `x ${peer}`)]];
  const groups = [...new Set(rows.map((row) => row.group))];
  for (const group of groups) {
    const members = rows.filter((row) => row.group === group);
    for (const row of members) {
      const ours = row.seconds['sterna'];
      lines.push([
        `  ${row.name}`,
        ours === undefined ? 'failed' : `${median(ours).toFixed(3)} s`,
        ...peers.map((peer) => cell(speedAgainst(row, peer))),
      ]);
    }
    lines.push([group, '', ...peers.map((peer) => cell(geometricMean(speeds(members, peer))))]);
  }
  lines.push(['all', '', ...peers.map((peer) => cell(geometricMean(speeds(rows, peer))))]);
  if (rows.some((row) => row.steady['sterna'] !== undefined))
    lines.push(['all, steady', '', ...peers.map((peer) => cell(geometricMean(speeds(rows, peer, 'steady'))))]);
  const errors = rows.flatMap((row) =>
    Object.entries(row.errors).map(([id, error]) => `${row.name} (${row.bits}) on ${id}: ${error.slice(0, 400)}`),
  );
  return [columns(lines), ...errors].join('\n');
}

/** One figure that has to be reached. */
export interface Requirement {
  readonly text: string;
  readonly value: number | undefined;
  readonly least: number;
  readonly holds: boolean;
}

function require(text: string, value: number | undefined, least: number): Requirement {
  return { text, value, least, holds: value !== undefined && value >= least };
}

/** What must hold of loops and programs, as far as the rows were measured. */
export function requirements(rows: readonly Row[], tcg: SubjectId): Requirement[] {
  const found: Requirement[] = [];
  const group = (name: string): Row[] => rows.filter((row) => row.group === name);
  const least = (members: readonly Row[], peer: SubjectId): number | undefined => {
    const all = speeds(members, peer);
    // A row that failed counts as speed 0.
    return members.some((row) => row.errors['sterna'] !== undefined)
      ? 0
      : all.length > 0
        ? Math.min(...all)
        : undefined;
  };
  const mean = (members: readonly Row[], peer: SubjectId) => geometricMean(speeds(members, peer));
  const integer = group('integer loops');
  if (integer.length > 0) {
    found.push(require('1. hot integer loops, geometric mean against TCG', mean(integer, tcg), 1.6));
    found.push(require('1. hot integer loops, the slowest', least(integer, tcg), 0.9));
  }
  const isProgram = (row: Row): boolean =>
    ['integer', 'floating point', 'memory and string', 'system work'].includes(row.group);
  const wide = rows.filter((row) => isProgram(row) && row.bits === 64);
  if (wide.length > 0) {
    const system = wide.filter((row) => row.group === 'system work');
    found.push(require('2. 64-bit programs, geometric mean against TCG', mean(wide, tcg), 1.3));
    found.push(require('2. 64-bit programs, the slowest', least(wide, tcg), 0.5));
    if (system.length > 0) found.push(require('2. 64-bit system work, geometric mean', mean(system, tcg), 0.7));
  }
  const narrow = rows.filter((row) => isProgram(row) && row.bits === 32);
  if (narrow.length > 0) {
    found.push(require('3. 32-bit programs, geometric mean against v86', mean(narrow, 'v86'), 1.5));
    found.push(require('3. 32-bit programs, the slowest', least(narrow, 'v86'), 0.8));
  }
  const doubles = group('SSE2 double loops');
  if (doubles.length > 0) found.push(require('4. SSE2 double loops against TCG, the slowest', least(doubles, tcg), 4));
  const strings = group('REP MOVS and STOS');
  if (strings.length > 0)
    found.push(require('4. REP MOVS and STOS against the host, the slowest', least(strings, 'native'), 0.5));
  const copies = group('SSE2 copy loops');
  if (copies.length > 0) found.push(require('4. SSE2 copy loops against TCG, the slowest', least(copies, tcg), 6));
  return found;
}

/** The requirements with pass or fail, for people. */
export function requirementTable(found: readonly Requirement[]): string {
  return columns(
    found.map(({ text, value, least, holds }) => [
      holds ? 'pass' : value === undefined ? 'not measured' : 'FAIL',
      text,
      value === undefined ? '-' : value.toFixed(2),
      `at least ${least}`,
    ]),
  );
}
