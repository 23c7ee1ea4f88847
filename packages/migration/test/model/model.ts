/**
 * What a migration is in few words: two machines, their statuses and run states,
 * and what each command does to them (QEMU migration/migration.c and
 * qapi/migration.json). No bytes, no time: `advance` is everything that happens
 * while nobody types.
 */
import type { RunState } from '@sterna/core';

/** One side as QMP shows it. */
export interface SideModel {
  /** Undefined: `query-migrate` has no status. */
  status: string | undefined;
  run: RunState;
  readonly on: Set<string>;
}

/** Both machines and what surrounds them. */
export interface Model {
  readonly source: SideModel;
  readonly destination: SideModel;
  /** Run state of the source without a migration. */
  wanted: RunState;
  /** Whether the last migration away has left an error. */
  failed: boolean;
  autostart: boolean;
  /** The guest writes faster than anything can be sent. */
  dirty: boolean;
  blocked: boolean;
  /** migrate-continue was given. */
  continued: boolean;
  /** The connection is gone, and a source that waits before its switchover has not noticed. */
  broken: boolean;
  /** The next time the disks are flushed it fails. */
  flushFails: boolean;
}

/** Two machines that have just been started. */
export function newModel(): Model {
  return {
    source: { status: undefined, run: 'running', on: new Set(['events']) },
    destination: { status: undefined, run: 'inmigrate', on: new Set(['events']) },
    wanted: 'running',
    failed: false,
    autostart: true,
    dirty: false,
    blocked: false,
    continued: false,
    broken: false,
    flushFails: false,
  };
}

/** Whether a migration away is under way. */
export function outgoing({ source }: Model): boolean {
  return ['setup', 'active', 'pre-switchover', 'device', 'cancelling'].includes(source.status ?? '');
}

/** Why `migrate` is refused now, as a code. */
export function migrateRefused(model: Model): string | undefined {
  if (outgoing(model)) return 'STERNA_ERR_MIGRATION_STATE';
  if (model.source.run === 'postmigrate') return 'STERNA_ERR_MIGRATION_STATE';
  return model.blocked ? 'STERNA_ERR_MIGRATION_BLOCKED' : undefined;
}

/** `migrate` was accepted. */
export function migrate(model: Model): void {
  model.source.status = 'setup';
  model.failed = false;
  model.continued = false;
  model.broken = false;
}

/** `migrate_cancel`. */
export function cancel(model: Model): void {
  if (outgoing(model)) model.source.status = 'cancelling';
}

/** The source's part has come to nothing: it goes on as before. */
function fail(model: Model, status: 'failed' | 'cancelled'): void {
  model.source.status = status;
  model.source.run = model.wanted;
  if (status === 'failed') model.failed = true;
  if (model.destination.status === 'active') model.destination.status = 'failed';
}

/** The connection breaks. */
export function breakConnection(model: Model): void {
  if (!outgoing(model) || model.source.status === 'setup') return;
  if (model.source.status === 'pre-switchover') {
    model.broken = true;
    if (model.destination.status === 'active') model.destination.status = 'failed';
  } else fail(model, 'failed');
}

/** All that happens by itself, until nothing more does. */
export function advance(model: Model): void {
  const { source, destination } = model;
  if (source.status === 'cancelling') fail(model, 'cancelled');
  if (source.status === 'setup') {
    if (destination.status !== 'setup') {
      fail(model, 'failed');
      return;
    }
    source.status = 'active';
    destination.status = 'active';
  }
  if (source.status === 'active') {
    if (model.dirty && source.run === 'running') return;
    if (source.on.has('pause-before-switchover')) {
      source.status = 'pre-switchover';
      source.run = 'finish-migrate';
    } else switchOver(model);
  }
  if (source.status === 'pre-switchover' && model.continued) switchOver(model);
}

function switchOver(model: Model): void {
  const { source, destination } = model;
  if (model.flushFails || model.broken) {
    model.flushFails = false;
    fail(model, 'failed');
    return;
  }
  source.status = 'completed';
  source.run = 'postmigrate';
  destination.status = 'completed';
  destination.run = model.wanted === 'running' && !model.autostart ? 'paused' : model.wanted;
}
