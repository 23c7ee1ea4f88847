import type { JobInfo } from '@sterna/core';
import { type QapiType, t } from '../schema/types.ts';

/** QAPI JobStatus. */
export const JOB_STATUS = t.enum([
  'undefined',
  'created',
  'running',
  'paused',
  'ready',
  'standby',
  'waiting',
  'pending',
  'aborting',
  'concluded',
  'null',
]);

/** QAPI JobInfo. */
export const JOB_INFO = t.object({
  id: t.str,
  type: t.enum([
    'commit',
    'stream',
    'mirror',
    'backup',
    'create',
    'amend',
    'snapshot-load',
    'snapshot-save',
    'snapshot-delete',
  ]),
  status: JOB_STATUS,
  'current-progress': t.int,
  'total-progress': t.int,
  error: t.optional(t.str),
}) as unknown as QapiType<JobInfo>;
