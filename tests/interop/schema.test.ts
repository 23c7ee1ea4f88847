import { type AnyCommand, COMMANDS } from '@sterna/qmp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { missing } from '../support/peers.ts';
import { PROGRAMS, Vm } from '../support/vm.ts';
import { compareSchemas, type Entry } from './schema-diff.ts';
import { explain } from './schema-reasons.ts';

const reason = missing({ programs: [PROGRAMS['qemu-new']] });

describe.skipIf(reason !== '')(`QMP beside the newest QEMU's ${reason}`, () => {
  let ours: Vm;
  let theirs: Vm;
  beforeAll(async () => {
    const args = ['-M', 'microvm', '-m', '64', '-smp', '2', '-S', '-chardev', 'ringbuf,id=ring'];
    [ours, theirs] = await Promise.all([Vm.start('sterna', args), Vm.start('qemu-new', args)]);
  }, 60_000);
  afterAll(async () => {
    await ours?.[Symbol.asyncDispose]();
    await theirs?.[Symbol.asyncDispose]();
  });

  it('commands and events that both have take and tell the same, or the difference has a reason', async () => {
    const [mine, other] = await Promise.all([ours, theirs].map((vm) => vm.qmp.executeAny('query-qmp-schema')));
    const lines = compareSchemas(mine as readonly Entry[], other as readonly Entry[]);
    expect(lines.filter((line) => explain(line) === undefined)).toEqual([]);
    // and the reasons are needed
    expect(lines.length).toBeGreaterThan(0);
  });

  it('every query answers what it declares', async () => {
    const answered: string[] = [];
    for (const [name, command] of Object.entries(COMMANDS) as [string, AnyCommand][]) {
      if (!/^(x-)?query-/.test(name) || name === 'query-cpu-model-expansion') continue;
      try {
        const answer = await ours.qmp.executeAny(name);
        // The check knows every member, and refuses others.
        expect([name, command.returns.check(answer, name)]).toEqual([name, answer]);
        answered.push(name);
      } catch (error) {
        if ((error as Error).name !== 'QmpError' || /Parameter|Invalid parameter/.test((error as Error).message))
          throw error;
      }
    }
    expect(answered.length).toBeGreaterThan(35);
  });

  it.each([
    ['query-status'],
    ['query-name'],
    ['query-uuid'],
    ['query-target'],
    ['query-iothreads'],
    ['query-block'],
    ['query-fdsets'],
    ['query-jobs'],
    ['query-memory-size-summary'],
    ['query-hotpluggable-cpus'],
    ['query-balloon'],
    ['query-mice'],
    ['query-replay'],
    ['query-display-options'],
    ['query-dump'],
    ['qom-list', { path: '/nix' }],
    ['qom-get', { path: '/machine', property: 'type' }],
    ['qom-get', { path: '/machine', property: 'nix' }],
    ['qom-get', { path: '/machine/unattached/device[2]', property: 'type' }],
    ['qom-set', { path: '/machine', property: 'type', value: 'x' }],
    ['qom-list', { path: '/chardevs/ring' }],
    ['qom-list-properties', { typename: 'nix' }],
    ['device-list-properties', { typename: 'nix' }],
    ['device-list-properties', { typename: 'microvm-machine' }],
    ['device_add', { driver: 'nix' }],
    ['device_add', { driver: 'isa-debug-exit', id: 'x' }],
    ['device_del', { id: 'nix' }],
    ['device_del', { id: '/machine/unattached/device[0]' }],
    ['set-action', { reboot: 'shutdown' }],
    ['set-action', { panic: 'nix' }],
    ['dump-guest-memory', { paging: false, protocol: 'nix:x' }],
    ['dump-guest-memory', { paging: false, protocol: 'file:/tmp/x', begin: 0 }],
    ['dump-guest-memory', { paging: false, protocol: 'file:/tmp/x', format: 'kdump-lzo' }],
    ['dump-guest-memory', { paging: true, protocol: 'file:/tmp/x', format: 'kdump-zlib' }],
    ['memsave', { val: 0, size: 16, filename: '/tmp/m', 'cpu-index': 7 }],
    ['ringbuf-write', { device: 'ring', data: 'hello' }],
    ['ringbuf-read', { device: 'ring', size: 10 }],
    ['ringbuf-write', { device: 'ring', data: 'aGVsbG8=', format: 'base64' }],
    ['ringbuf-read', { device: 'ring', size: 10, format: 'base64' }],
    ['ringbuf-write', { device: 'ring', data: '%', format: 'base64' }],
    ['ringbuf-read', { device: 'ring', size: 0 }],
    ['ringbuf-read', { device: 'serial0', size: 1 }],
    ['ringbuf-read', { device: 'nix', size: 1 }],
    ['add_client', { protocol: 'vnc', fdname: 'nix' }],
    ['getfd', { fdname: 'x' }],
    ['closefd', { fdname: 'x' }],
    ['add-fd'],
    ['remove-fd', { 'fdset-id': 3 }],
    ['query-cpu-model-expansion', { type: 'full', model: { name: 'nix' } }],
    ['query-command-line-options', { option: 'nix' }],
    ['inject-nmi'],
    ['send-key', { keys: [{ type: 'qcode', data: 'a' }] }],
    ['migrate-continue', { state: 'nix' }],
    ['system_wakeup'],
  ] as const satisfies readonly (readonly [string, object?])[])(
    '%s %j is answered as by QEMU',
    async (name, given?: object) => {
      const args = given ?? {};
      const [mine, other] = await Promise.all([ours, theirs].map((vm) => answer(vm, name, args)));
      expect(mine).toEqual(other);
    },
  );

  it.each([
    ['query-machines', 'name', 'microvm'],
    ['query-cpu-definitions', 'name', 'max'],
    ['query-chardev-backends', 'name', 'ringbuf'],
  ] as const)('%s tells of %s %s what QEMU tells', async (name, member, value) => {
    const pick = (all: unknown) => (all as Record<string, unknown>[]).find((one) => one[member] === value);
    const [mine, other] = await Promise.all([ours, theirs].map((vm) => answer(vm, name, {})));
    expect(pick(mine)).toEqual(pick(other));
  });
});

async function answer(vm: Vm, name: string, args: object): Promise<unknown> {
  try {
    return await vm.qmp.executeAny(name, args);
  } catch (error) {
    return `error: ${(error as Error).message}`;
  }
}
