import type { Finding, FindingLevel } from './facts.ts';

const LEVELS: readonly FindingLevel[] = ['blocker', 'warning', 'note'];

/** Findings for people, gravest first. */
export function findingLines(findings: readonly Finding[], from: string, to: string): string[] {
  const sorted = LEVELS.flatMap((level) => findings.filter((finding) => finding.level === level));
  const blockers = findings.filter(({ level }) => level === 'blocker').length;
  const verdict =
    blockers > 0
      ? `${blockers} ${blockers === 1 ? 'thing forbids' : 'things forbid'} a migration from ${from} to ${to}`
      : `nothing forbids a migration from ${from} to ${to}`;
  return [...sorted.map(({ level, about, text }) => `${level.padEnd(8)} ${about.padEnd(12)} ${text}`), verdict];
}

/** Whether a migration would fail. */
export function isBlocked(findings: readonly Finding[]): boolean {
  return findings.some(({ level }) => level === 'blocker');
}
