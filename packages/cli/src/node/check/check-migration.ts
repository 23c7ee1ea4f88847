import { existsSync } from 'node:fs';
import { ConfigError, SternaError } from '@sterna/core';
import type { QmpClient } from '@sterna/qmp';
import { connectQmp } from '@sterna/qmp/node';
import { checkSource, compareMachines } from '../../check/compare.ts';
import type { Finding } from '../../check/facts.ts';
import { findingLines, isBlocked } from '../../check/text.ts';
import { checkVersion, namedQemu } from '../../check/versions.ts';
import { printJson } from '../commands/command.ts';
import { publishedSocket } from '../runtime-directory.ts';
import { queryFacts } from './query-facts.ts';

/** Exit code of a check that has found a blocker. */
const BLOCKED = 3;

/** The QMP socket of a machine: a name that `sterna run` shows, or a socket. @throws ConfigError when none is running */
export function socketOf(machine: string): string {
  if (machine.includes('/') || machine.startsWith('tcp:') || machine.startsWith('unix:')) return machine;
  const path = publishedSocket(machine);
  if (existsSync(path)) return path;
  throw new ConfigError('STERNA_ERR_OPTION_VALUE', `no machine '${machine}' is running (there is no ${path})`);
}

/** What is compared with what. */
export interface Comparison {
  readonly findings: readonly Finding[];
  readonly from: string;
  readonly to: string;
}

/**
 * Compares a source with where it is to go.
 *
 * @param target a version (`qemu-7.2`), or the name or QMP socket of a machine that waits; undefined: the source alone
 */
export async function compareWith(source: QmpClient, target: string | undefined): Promise<Comparison> {
  const facts = await queryFacts(source);
  if (target === undefined) return { findings: checkSource(facts), from: facts.who, to: 'anywhere' };
  const version = namedQemu(target);
  if (version !== undefined)
    return { findings: checkVersion(facts, version), from: facts.who, to: `QEMU ${version.join('.')}` };
  const client = await connectQmp(socketOf(target));
  try {
    const other = await queryFacts(client);
    return { findings: compareMachines(facts, other), from: facts.who, to: other.who };
  } finally {
    client.close();
  }
}

/** `sterna migrate --check`: prints what was found and answers the exit code. */
export async function checkMigration(source: QmpClient, target: string | undefined, json: boolean): Promise<number> {
  const comparison = await compareWith(source, target);
  const { findings, from, to } = comparison;
  if (json) printJson({ ...comparison, blocked: isBlocked(findings) });
  else process.stdout.write(`${findingLines(findings, from, to).join('\n')}\n`);
  return isBlocked(findings) ? BLOCKED : 0;
}

/** Compares before a migration. @throws SternaError `STERNA_ERR_MIGRATION_BLOCKED` when it would fail */
export async function refuseWhenBlocked(source: QmpClient, destination: string): Promise<void> {
  const { findings } = await compareWith(source, destination);
  const blockers = findings.filter(({ level }) => level === 'blocker');
  if (blockers.length === 0) return;
  const reasons = blockers.map(({ about, text }) => `${about}: ${text}`).join('; ');
  throw new SternaError('STERNA_ERR_MIGRATION_BLOCKED', `the destination would refuse the guest: ${reasons}`);
}
