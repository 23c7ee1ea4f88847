import { t } from '../schema/types.ts';
import { DUMP_QUERY } from '../types/dump-types.ts';
import { JOB_STATUS } from '../types/job-types.ts';
import { SHUTDOWN_CAUSE } from '../types/machine-types.ts';
import { MIGRATION_STATUS } from '../types/migration-types.ts';
import { type AnyEvent, defineEvent } from './define-event.ts';

const none = t.object({});
const byCause = t.object({ guest: t.bool, reason: SHUTDOWN_CAUSE });

/** All events, by name. */
export const EVENTS = {
  SHUTDOWN: defineEvent({ help: 'The guest powered off, or the process ends', data: byCause }),
  RESET: defineEvent({ help: 'The machine was reset', data: byCause }),
  STOP: defineEvent({ help: 'The guest was stopped', data: none }),
  RESUME: defineEvent({ help: 'The guest runs on', data: none }),
  SUSPEND: defineEvent({ help: 'The guest went to sleep (ACPI S3)', data: none }),
  WAKEUP: defineEvent({ help: 'The guest woke up', data: none }),
  POWERDOWN: defineEvent({ help: 'The power button was pressed', data: none }),
  MIGRATION: defineEvent({
    help: 'The state of the migration changed (capability `events`)',
    data: t.object({ status: MIGRATION_STATUS }),
  }),
  MIGRATION_PASS: defineEvent({
    help: 'A pass over RAM begins (capability `events`)',
    data: t.object({ pass: t.int }),
  }),
  JOB_STATUS_CHANGE: defineEvent({
    help: 'The status of a job changed',
    data: t.object({ id: t.str, status: JOB_STATUS }),
  }),
  DUMP_COMPLETED: defineEvent({
    help: 'A core file is complete, or has failed',
    data: t.object({ result: DUMP_QUERY, error: t.optional(t.str) }),
  }),
  DEVICE_DELETED: defineEvent({
    help: 'A device has left the machine',
    data: t.object({ device: t.optional(t.str), path: t.str }),
  }),
  BLOCK_IO_ERROR: defineEvent({
    help: 'A disk has failed',
    data: t.object({
      'qom-path': t.str,
      device: t.str,
      'node-name': t.optional(t.str),
      operation: t.enum(['read', 'write']),
      action: t.enum(['ignore', 'report', 'stop']),
      nospace: t.optional(t.bool),
      reason: t.str,
    }),
  }),
} satisfies Readonly<Record<string, AnyEvent>>;

/** Name of an event. */
export type EventName = keyof typeof EVENTS;
