import { RUN_STATES } from '@sterna/core';
import { t } from '../schema/types.ts';

/** QAPI RunState. */
export const RUN_STATE = t.enum(RUN_STATES);

/** QAPI ShutdownCause. */
export const SHUTDOWN_CAUSE = t.enum([
  'none',
  'host-error',
  'host-qmp-quit',
  'host-qmp-system-reset',
  'host-signal',
  'host-ui',
  'guest-shutdown',
  'guest-reset',
  'guest-panic',
  'subsystem-reset',
  'snapshot-load',
]);

/** QAPI CpuInstanceProperties, as far as machines here have topologies. */
export const CPU_PROPS = t.object({
  'socket-id': t.optional(t.int),
  'core-id': t.optional(t.int),
  'thread-id': t.optional(t.int),
});

/** QAPI HumanReadableText. */
export const HUMAN_TEXT = t.object({ 'human-readable-text': t.str });

/** QAPI CpuModelInfo. */
export const CPU_MODEL = t.object({ name: t.str, props: t.optional(t.any) });

/** QAPI ObjectPropertyInfo. */
export const PROPERTY_INFO = t.object({
  name: t.str,
  type: t.str,
  description: t.optional(t.str),
  'default-value': t.optional(t.any),
});
