import { isRunning, type RunState, SternaError } from '@sterna/core';
import { t } from '../schema/types.ts';
import { type MonitorTarget, QEMU_VERSION } from '../target.ts';
import { defineCommand, NOTHING, type Nothing } from './define-command.ts';

const nothing = t.typed<Nothing>('null');

/** Result of `query-version`. */
export interface VersionInfo {
  readonly qemu: { readonly major: number; readonly minor: number; readonly micro: number };
  readonly package: string;
}
/** Result of `query-status`. */
export interface StatusInfo {
  readonly running: boolean;
  readonly status: RunState;
}
/** Element of `query-cpus-fast`'s result. */
export interface CpuInfoFast {
  readonly 'cpu-index': number;
  readonly 'qom-path': string;
  readonly 'thread-id': number;
  readonly target: string;
  readonly props: { readonly 'core-id': number; readonly 'thread-id': number; readonly 'socket-id': number };
}

/** Result of `query-current-machine`. */
export interface CurrentMachineParams {
  /** Whether `system_wakeup` can wake a guest that sleeps. */
  readonly 'wakeup-suspend-support': boolean;
}

/** Result of commands whose answer is text for people. */
export interface HumanReadableText {
  readonly 'human-readable-text': string;
}

/** Text of `info jit`. @throws SternaError when the CPU does not translate */
export function translationText(target: MonitorTarget): string {
  const text = target.describeTranslation?.();
  if (text === undefined)
    throw new SternaError('STERNA_ERR_UNSUPPORTED', 'this CPU does not translate guest code; it only interprets');
  return text;
}

/** The version answer, which is also in the greeting. */
export function versionInfo(version: string): VersionInfo {
  return { qemu: QEMU_VERSION, package: `sterna ${version}` };
}

/** Commands about the machine and its run state. */
export const machineCommands = {
  'query-version': defineCommand({
    help: 'The QEMU version whose contract is kept, and our own',
    arguments: t.object({}),
    returns: t.typed<VersionInfo>('VersionInfo'),
    run: ({ target }) => versionInfo(target.version),
  }),
  'query-status': defineCommand({
    help: 'The run state',
    arguments: t.object({}),
    returns: t.typed<StatusInfo>('StatusInfo'),
    run: ({ target }) => ({ running: isRunning(target.runState), status: target.runState }),
  }),
  'query-name': defineCommand({
    help: "The guest's name",
    arguments: t.object({}),
    returns: t.typed<{ readonly name?: string }>('NameInfo'),
    run: ({ target }) => (target.name === undefined ? {} : { name: target.name }),
  }),
  'query-uuid': defineCommand({
    help: "The guest's UUID",
    arguments: t.object({}),
    returns: t.typed<{ readonly UUID: string }>('UuidInfo'),
    run: ({ target }) => ({ UUID: target.uuid ?? '00000000-0000-0000-0000-000000000000' }),
  }),
  'query-cpus-fast': defineCommand({
    help: 'The vCPUs, without stopping them',
    arguments: t.object({}),
    returns: t.typed<readonly CpuInfoFast[]>('[CpuInfoFast]'),
    run: ({ target }) =>
      target.cpus.map((cpu) => ({
        'cpu-index': cpu.index,
        // on QEMU's machines something else is made between the first and the second
        'qom-path': `/machine/unattached/device[${cpu.index === 0 ? 0 : cpu.index + 1}]`,
        'thread-id': target.pid,
        target: cpu.target,
        props: { 'core-id': cpu.place.core, 'thread-id': cpu.place.thread, 'socket-id': cpu.place.socket },
      })),
  }),
  'x-query-jit': defineCommand({
    help: 'Statistics of the translation of guest code, for people',
    arguments: t.object({}),
    returns: t.typed<HumanReadableText>('HumanReadableText'),
    run: ({ target }) => ({ 'human-readable-text': translationText(target) }),
  }),
  stop: defineCommand({
    help: 'Pauses the guest',
    arguments: t.object({}),
    returns: nothing,
    async run({ target }) {
      await target.stop();
      return NOTHING;
    },
  }),
  cont: defineCommand({
    help: 'Lets the guest run, or run on',
    arguments: t.object({}),
    returns: nothing,
    async run({ target }) {
      await target.cont();
      return NOTHING;
    },
  }),
  quit: defineCommand({
    help: 'Ends the process',
    arguments: t.object({}),
    returns: nothing,
    run({ target }) {
      target.quit();
      return NOTHING;
    },
  }),
  system_reset: defineCommand({
    help: 'Resets the machine',
    arguments: t.object({}),
    returns: nothing,
    run({ target }) {
      target.reset();
      return NOTHING;
    },
  }),
  system_wakeup: defineCommand({
    help: 'Wakes a guest that sleeps',
    arguments: t.object({}),
    returns: nothing,
    run({ target }) {
      target.wakeUp();
      return NOTHING;
    },
  }),
  'query-current-machine': defineCommand({
    help: 'What this machine can do',
    arguments: t.object({}),
    returns: t.typed<CurrentMachineParams>('CurrentMachineParams'),
    run: ({ target }) => ({ 'wakeup-suspend-support': target.canWakeUp }),
  }),
  system_powerdown: defineCommand({
    help: 'Presses the power button',
    arguments: t.object({}),
    returns: nothing,
    run({ target }) {
      target.powerDown();
      return NOTHING;
    },
  }),
};
