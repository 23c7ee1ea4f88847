import { type JobContext, SternaError } from '@sterna/core';
import type { SnapshotOptions } from '@sterna/migration';
import { t } from '../schema/types.ts';
import type { MonitorSnapshots, MonitorTarget } from '../target.ts';
import { defineCommand, NOTHING, type Nothing, nothing } from './define-command.ts';
import { jobsOf } from './job-commands.ts';

/** The target's snapshots. @throws SternaError where there are none */
export function snapshotsOf({ snapshots }: MonitorTarget): MonitorSnapshots {
  if (snapshots === undefined) throw new SternaError('STERNA_ERR_UNSUPPORTED', 'there are no snapshots here');
  return snapshots;
}

const WHERE = { 'job-id': t.str, tag: t.str, devices: t.array(t.str) };

type Work = (snapshots: MonitorSnapshots, tag: string, options: SnapshotOptions) => Promise<unknown>;

/** Starts the job; how it ends is in `query-jobs`. */
function start(
  target: MonitorTarget,
  type: string,
  args: {
    readonly 'job-id': string;
    readonly tag: string;
    readonly devices: readonly string[];
    readonly vmstate?: string;
  },
  work: Work,
): Nothing {
  const snapshots = snapshotsOf(target);
  const { devices, vmstate: store } = args;
  jobsOf(target).start(args['job-id'], type, async ({ signal, progress }: JobContext) => {
    await work(snapshots, args.tag, { store, devices, signal, progress });
  });
  return NOTHING;
}

/** Commands about snapshots of the machine. */
export const snapshotCommands = {
  'snapshot-save': defineCommand({
    help: 'Starts a job that saves the machine under a name; vmstate says where, devices what takes part',
    arguments: t.object({ ...WHERE, vmstate: t.str }),
    returns: nothing,
    run: ({ target }, args) =>
      start(target, 'snapshot-save', args, (snapshots, tag, options) => snapshots.save(tag, options)),
  }),
  'snapshot-load': defineCommand({
    help: 'Starts a job that takes the machine back to a snapshot',
    arguments: t.object({ ...WHERE, vmstate: t.str }),
    returns: nothing,
    run: ({ target }, args) =>
      start(target, 'snapshot-load', args, (snapshots, tag, options) => snapshots.load(tag, options)),
  }),
  'snapshot-delete': defineCommand({
    help: 'Starts a job that deletes a snapshot',
    arguments: t.object(WHERE),
    returns: nothing,
    run: ({ target }, args) =>
      start(target, 'snapshot-delete', args, (snapshots, tag, options) => snapshots.remove(tag, options)),
  }),
};
