import { SternaError } from '@sterna/core';
import { t } from '../schema/types.ts';
import type { MonitorDirtyLimits, MonitorTarget } from '../target.ts';
import { defineCommand, NOTHING, noArguments } from './define-command.ts';

/** QAPI DirtyLimitInfo. */
const DIRTY_LIMIT_INFO = t.object({ 'cpu-index': t.int, 'limit-rate': t.int, 'current-rate': t.int });

/** What limits vCPUs. @throws SternaError `STERNA_ERR_UNSUPPORTED` when nothing does */
export function dirtyLimitsOf({ dirtyLimits }: MonitorTarget): MonitorDirtyLimits {
  if (dirtyLimits !== undefined) return dirtyLimits;
  throw new SternaError('STERNA_ERR_UNSUPPORTED', 'how fast this machine dirties its memory cannot be limited');
}

/** Commands that limit how fast vCPUs dirty memory. */
export const dirtyLimitCommands = {
  'set-vcpu-dirty-limit': defineCommand({
    help: 'Limits how fast a vCPU, or each of them, dirties memory, in MiB per second',
    arguments: t.object({ 'cpu-index': t.optional(t.int), 'dirty-rate': t.int }),
    returns: t.object({}),
    run({ target }, args) {
      dirtyLimitsOf(target).set(args['dirty-rate'], args['cpu-index']);
      return NOTHING;
    },
  }),
  'cancel-vcpu-dirty-limit': defineCommand({
    help: 'Takes the limit of a vCPU, or of all of them, away',
    arguments: t.object({ 'cpu-index': t.optional(t.int) }),
    returns: t.object({}),
    run({ target }, args) {
      dirtyLimitsOf(target).cancel(args['cpu-index']);
      return NOTHING;
    },
  }),
  'query-vcpu-dirty-limit': defineCommand({
    help: 'The limits of vCPUs, and how fast they dirty memory now',
    arguments: noArguments,
    returns: t.array(DIRTY_LIMIT_INFO),
    run: ({ target }) => target.dirtyLimits?.query() ?? [],
  }),
};
