import { SternaError } from '@sterna/core';
import { DIRTY_RATE_MODES, TIME_UNITS } from '@sterna/migration';
import { t } from '../schema/types.ts';
import type { MonitorDirtyRate, MonitorTarget } from '../target.ts';
import { defineCommand, NOTHING } from './define-command.ts';

const unit = t.optional(t.enum(TIME_UNITS));

/** Element of `vcpu-dirty-rate`. */
const VCPU_DIRTY_RATE = t.object({ id: t.int, 'dirty-rate': t.int });
/** QAPI DirtyRateInfo. */
const DIRTY_RATE_INFO = t.object({
  'dirty-rate': t.optional(t.int),
  status: t.enum(['unstarted', 'measuring', 'measured']),
  'start-time': t.int,
  'calc-time': t.int,
  'calc-time-unit': t.enum(TIME_UNITS),
  'sample-pages': t.int,
  mode: t.enum(DIRTY_RATE_MODES),
  'vcpu-dirty-rate': t.optional(t.array(VCPU_DIRTY_RATE)),
});

/** What measures. @throws SternaError `STERNA_ERR_UNSUPPORTED` when nothing does */
export function dirtyRateOf(target: MonitorTarget): MonitorDirtyRate {
  if (target.dirtyRate === undefined)
    throw new SternaError('STERNA_ERR_UNSUPPORTED', 'the dirty rate of this machine cannot be measured');
  return target.dirtyRate;
}

/** Commands about how fast the guest dirties its memory. */
export const dirtyRateCommands = {
  'calc-dirty-rate': defineCommand({
    help: 'Begins to measure how fast the guest dirties its memory; query-dirty-rate has the result',
    arguments: t.object({
      'calc-time': t.int,
      'calc-time-unit': unit,
      'sample-pages': t.optional(t.int),
      mode: t.optional(t.enum(DIRTY_RATE_MODES)),
    }),
    returns: t.object({}),
    run({ target }, args) {
      dirtyRateOf(target).start(args);
      return NOTHING;
    },
  }),
  'query-dirty-rate': defineCommand({
    help: 'The dirty rate that was measured',
    arguments: t.object({ 'calc-time-unit': unit }),
    returns: DIRTY_RATE_INFO,
    run: ({ target }, { 'calc-time-unit': given }) => dirtyRateOf(target).query(given),
  }),
};
