/** QEMU's run states, as QMP spells them. */
export const RUN_STATES = [
  'debug',
  'inmigrate',
  'internal-error',
  'io-error',
  'paused',
  'postmigrate',
  'prelaunch',
  'finish-migrate',
  'restore-vm',
  'running',
  'save-vm',
  'shutdown',
  'suspended',
  'watchdog',
  'guest-panicked',
  'colo',
] as const;
/** A QMP RunState. */
export type RunState = (typeof RUN_STATES)[number];

/** True when vCPUs execute in this state. */
export function isRunning(state: RunState): boolean {
  return state === 'running';
}

/** True when guest time passes: the guest runs, or sleeps (ACPI S3) until something wakes it. */
export function isLive(state: RunState): boolean {
  return state === 'running' || state === 'suspended';
}

/** What woke a sleeping guest. */
export type WakeupReason = 'other' | 'rtc' | 'pmtimer';

/** Why the machine was reset, QMP's ShutdownCause. */
export type ShutdownCause =
  | 'none'
  | 'host-error'
  | 'host-qmp-quit'
  | 'host-qmp-system-reset'
  | 'host-signal'
  | 'host-ui'
  | 'guest-shutdown'
  | 'guest-reset'
  | 'guest-panic'
  | 'subsystem-reset'
  | 'snapshot-load';
