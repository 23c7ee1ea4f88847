import { type JobList, type JobVerb, SternaError } from '@sterna/core';
import { t } from '../schema/types.ts';
import type { MonitorTarget } from '../target.ts';
import { JOB_INFO } from '../types/job-types.ts';
import { defineCommand, NOTHING, noArguments, nothing } from './define-command.ts';

/** The target's jobs. @throws SternaError where there are none */
export function jobsOf({ jobs }: MonitorTarget): JobList {
  if (jobs === undefined) throw new SternaError('STERNA_ERR_UNSUPPORTED', 'there are no jobs here');
  return jobs;
}

const order = (verb: JobVerb, help: string) =>
  defineCommand({
    help,
    arguments: t.object({ id: t.str }),
    returns: nothing,
    run({ target }, { id }) {
      jobsOf(target).order(id, verb);
      return NOTHING;
    },
  });

/** Commands about jobs: long commands that go on after their answer. */
export const jobCommands = {
  'query-jobs': defineCommand({
    help: 'The jobs, the newest first',
    arguments: noArguments,
    returns: t.array(JOB_INFO),
    run: ({ target }) => jobsOf(target).list(),
  }),
  'job-cancel': order('cancel', 'Ends a job that runs, without its result'),
  'job-complete': order('complete', 'Lets a job that is ready do its last step'),
  'job-dismiss': order('dismiss', 'Takes a job that has ended off the list'),
  'job-finalize': order('finalize', 'Lets a job that waits for it take its effect'),
  'job-pause': order('pause', 'Pauses a job'),
  'job-resume': order('resume', 'Lets a paused job go on'),
};
