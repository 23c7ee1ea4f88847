import { isRunning, SternaError } from '@sterna/core';
import { type QapiType, type TypeOf, t } from '../schema/types.ts';
import { type MonitorTarget, QEMU_VERSION } from '../target.ts';
import { CPU_PROPS, HUMAN_TEXT, RUN_STATE } from '../types/machine-types.ts';
import { defineCommand, NOTHING, noArguments, nothing } from './define-command.ts';

/** Answer of `query-version`. */
export const VERSION_INFO = t.object({ qemu: t.object({ major: t.int, minor: t.int, micro: t.int }), package: t.str });
/** Answer of `query-status`. */
export const STATUS_INFO = t.object({ running: t.bool, status: RUN_STATE });
/** An element of `query-cpus-fast`'s answer. */
export const CPU_INFO_FAST = t.object({
  'cpu-index': t.int,
  'qom-type': t.str,
  'qom-path': t.str,
  'thread-id': t.int,
  target: t.enum(['x86_64']),
  props: t.optional(CPU_PROPS),
});

/** Result of `query-version`. */
export type VersionInfo = TypeOf<typeof VERSION_INFO>;
/** Result of `query-status`. */
export type StatusInfo = TypeOf<typeof STATUS_INFO>;
/** Element of `query-cpus-fast`'s result. */
export type CpuInfoFast = TypeOf<typeof CPU_INFO_FAST>;

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

/** A command that tells the machine something and answers nothing. */
const order = (help: string, run: (target: MonitorTarget) => void | Promise<void>) =>
  defineCommand({
    help,
    arguments: noArguments,
    returns: nothing,
    async run({ target }) {
      await run(target);
      return NOTHING;
    },
  });

/** Commands about the machine and its run state. */
export const machineCommands = {
  'query-version': defineCommand({
    help: 'The QEMU version whose contract is kept, and our own',
    arguments: noArguments,
    returns: VERSION_INFO,
    run: ({ target }) => versionInfo(target.version),
  }),
  'query-status': defineCommand({
    help: 'The run state',
    arguments: noArguments,
    returns: STATUS_INFO,
    run: ({ target }) => ({ running: isRunning(target.runState), status: target.runState }),
  }),
  'query-name': defineCommand({
    help: "The guest's name",
    arguments: noArguments,
    returns: t.object({ name: t.optional(t.str) }),
    run: ({ target }) => (target.name === undefined ? {} : { name: target.name }),
  }),
  'query-uuid': defineCommand({
    help: "The guest's UUID",
    arguments: noArguments,
    returns: t.object({ UUID: t.str }),
    run: ({ target }) => ({ UUID: target.uuid ?? '00000000-0000-0000-0000-000000000000' }),
  }),
  'query-cpus-fast': defineCommand({
    help: 'The vCPUs, without stopping them',
    arguments: noArguments,
    returns: t.array(CPU_INFO_FAST),
    run: ({ target }) =>
      target.cpus.map((cpu) => ({
        'cpu-index': cpu.index,
        'qom-type': cpu.type,
        'qom-path': cpu.path,
        'thread-id': target.pid,
        target: cpu.target,
        props: { 'core-id': cpu.place.core, 'thread-id': cpu.place.thread, 'socket-id': cpu.place.socket },
      })),
  }),
  'query-current-machine': defineCommand({
    help: 'What this machine can do',
    arguments: noArguments,
    returns: t.object({ 'wakeup-suspend-support': t.bool }),
    run: ({ target }) => ({ 'wakeup-suspend-support': target.canWakeUp }),
  }),
  'x-query-jit': defineCommand({
    help: 'Statistics of the translation of guest code, for people',
    arguments: noArguments,
    returns: HUMAN_TEXT,
    features: ['unstable'],
    run: ({ target }) => ({ 'human-readable-text': translationText(target) }),
  }),
  stop: order('Pauses the guest', (target) => target.stop()),
  cont: order('Lets the guest run, or run on', (target) => target.cont()),
  quit: order('Ends the process', (target) => target.quit()),
  system_reset: order('Resets the machine', (target) => target.reset()),
  system_powerdown: order('Presses the power button', (target) => target.powerDown()),
  system_wakeup: order('Wakes a guest that sleeps', (target) => target.wakeUp()),
  'inject-nmi': order('Gives the vCPUs a non-maskable interrupt', (target) => target.injectNmi()),
  'set-action': defineCommand({
    help: 'What follows when the guest resets, powers off, panics, or its watchdog barks',
    arguments: t.object({
      reboot: t.optional(t.enum(['reset', 'shutdown'])),
      shutdown: t.optional(t.enum(['poweroff', 'pause'])),
      panic: t.optional(t.enum(['pause', 'shutdown', 'exit-failure', 'none'])),
      watchdog: t.optional(t.enum(['reset', 'shutdown', 'poweroff', 'pause', 'debug', 'none', 'inject-nmi'])),
    }),
    returns: nothing,
    run({ target }, actions) {
      target.setActions(actions);
      return NOTHING;
    },
  }),
} satisfies Readonly<Record<string, { readonly returns: QapiType<unknown> }>>;
