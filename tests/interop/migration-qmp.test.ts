/** Nothing of QEMU's interface to migrations is forgotten: its own lists are asked for. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  hmpNames,
  MIGRATION_COMMANDS,
  MIGRATION_EVENTS,
  MIGRATION_HMP,
  refusal,
} from '../../tools/reference/migration-qmp.ts';
import { missing } from '../support/peers.ts';
import { PROGRAMS, Vm } from '../support/vm.ts';

const reason = missing({ programs: [PROGRAMS['qemu-new']] });
const ABOUT_MIGRATION =
  /migrat|dirty-rate|dirty-limit|colo|^xen-(?!event)|^query-xen|^announce|^snapshot-(save|load|delete)$|yank|^object-(add|del)$/;

interface Entry {
  readonly name: string;
  readonly 'meta-type': string;
  readonly members?: readonly { readonly name: string; readonly type: string }[];
  readonly 'element-type'?: string;
  readonly 'ret-type'?: string;
  readonly 'arg-type'?: string;
}

describe.skipIf(reason !== '')(`QEMU's interface to migrations ${reason}`, () => {
  let ours: Vm;
  let theirs: Vm;
  let schema: ReadonlyMap<string, Entry>;
  const ask = (vm: Vm, command: string, args?: object): Promise<unknown> => vm.qmp.executeAny(command, args as never);

  beforeAll(async () => {
    const args = ['-M', 'microvm', '-m', '64', '-S'];
    [ours, theirs] = await Promise.all([Vm.start('sterna', args), Vm.start('qemu-new', args)]);
    const entries = (await ask(theirs, 'query-qmp-schema')) as readonly Entry[];
    schema = new Map(entries.map((entry) => [entry.name, entry]));
  }, 60_000);
  afterAll(async () => {
    await ours?.[Symbol.asyncDispose]();
    await theirs?.[Symbol.asyncDispose]();
  });

  /** Names of the members of what a command takes. */
  const members = (command: string, member?: string): readonly string[] => {
    let entry = schema.get(schema.get(command)!['arg-type']!)!;
    if (member !== undefined) {
      const list = schema.get(entry.members!.find(({ name }) => name === member)!.type)!;
      entry = schema.get(list['element-type']!)!;
    }
    return entry.members!.map(({ name }) => name);
  };

  it('every command is there, or refused with the reason', async () => {
    const names = [...schema.values()]
      .filter((entry) => entry['meta-type'] === 'command' && ABOUT_MIGRATION.test(entry.name))
      .map(({ name }) => name);
    expect(names.length).toBeGreaterThan(30);
    const listed = Object.values(MIGRATION_COMMANDS).flat();
    expect(names.filter((name) => !listed.includes(name))).toEqual([]);
    for (const name of listed) {
      const why = refusal(name);
      if (why === undefined) continue;
      const answer = await ask(ours, name).catch((error: Error) => error);
      expect([name, (answer as { class?: string }).class, (answer as Error).message]).toEqual([
        name,
        'CommandNotFound',
        `The command ${name} is not available here: ${why}`,
      ]);
    }
  });

  it('so is every command of the human monitor, and every event', async () => {
    const help = async (topic: string): Promise<readonly string[]> => {
      const text = (await ask(theirs, 'human-monitor-command', { 'command-line': topic })) as string;
      const lines = text.split('\r\n').filter((line) => / -- /.test(line));
      return lines.map((line) => line.replace(/ .*/s, '').split('|')[0]!);
    };
    const info = (await ask(theirs, 'human-monitor-command', { 'command-line': 'help info' })) as string;
    const infos = info.split('\r\n').flatMap((line) => /^info (\S+)/.exec(line)?.[1] ?? []);
    const names = [...(await help('help')), ...infos.map((name) => `info ${name}`)].filter((name) =>
      ABOUT_MIGRATION.test(name.replaceAll('_', '-')),
    );
    expect(names).toContain('migrate_set_parameter');
    expect(names.filter((name) => !MIGRATION_HMP.includes(name))).toEqual([]);
    const here = hmpNames();
    for (const name of MIGRATION_HMP) {
      if (here.has(name)) continue;
      // Those that are not even listed are those that wait for their QMP command.
      expect([
        name,
        refusal(name === 'info vcpu_dirty_limit' ? 'query-vcpu-dirty-limit' : name.replaceAll('_', '-')),
      ]).toEqual([name, expect.stringContaining('not landed')]);
    }
    const events = [...schema.values()].filter((entry) => entry['meta-type'] === 'event').map(({ name }) => name);
    const about = events.filter((name) => /^(MIGRATION|COLO_|UNPLUG_PRIMARY|VFIO_MIGRATION)/.test(name));
    expect(about.filter((name) => !Object.hasOwn(MIGRATION_EVENTS, name))).toEqual([]);
  });

  it('every capability is taken, or refused with the reason; their list is the same', async () => {
    const list = (await ask(ours, 'query-migrate-capabilities')) as readonly { readonly capability: string }[];
    const names = list.map(({ capability }) => capability);
    const theirList = (await ask(theirs, 'query-migrate-capabilities')) as readonly { readonly capability: string }[];
    expect(names).toEqual(theirList.map(({ capability }) => capability));
    expect(members('migrate-set-capabilities', 'capabilities')).toEqual(['capability', 'state']);
    const set = (capability: string, state: boolean) =>
      ask(ours, 'migrate-set-capabilities', { capabilities: [{ capability, state }] });
    const refused: string[] = [];
    for (const name of names) {
      const needs = name === 'switchover-ack' ? ['return-path'] : [];
      for (const other of needs) await set(other, true);
      const answer = await set(name, true).catch((error: Error) => error.message);
      if (typeof answer === 'string') {
        expect(answer).toMatch(new RegExp(`^migration capability '${name}' is not available: .{10}`));
        refused.push(name);
      } else await set(name, false);
      for (const other of needs) await set(other, false);
    }
    for (const name of ['rdma-pin-all', 'zero-copy-send', 'postcopy-ram', 'x-colo', 'background-snapshot'])
      expect(refused).toContain(name);
  });

  it('every parameter is there with the same default, and takes it', async () => {
    const answers = await Promise.all([ours, theirs].map((vm) => ask(vm, 'query-migrate-parameters')));
    const [mine, other] = answers as Readonly<Record<string, unknown>>[];
    const own = Object.keys(mine!).filter((name) => !Object.hasOwn(other!, name));
    expect(own).toEqual(['x-deadline', 'x-on-timeout']);
    expect(Object.fromEntries(Object.entries(mine!).filter(([name]) => !own.includes(name)))).toEqual(other);
    const declared = members('migrate-set-parameters');
    expect(Object.keys(mine!).filter((name) => !own.includes(name))).toEqual(
      declared.filter((name) => name !== 'block-bitmap-mapping'),
    );
    for (const name of declared) await ask(ours, 'migrate-set-parameters', { [name]: mine![name] ?? [] });
    for (const [name, value, why] of [
      ['multifd-compression', 'qatzip', /QuickAssist/],
      ['multifd-compression', 'qpl', /Analytics/],
      ['multifd-compression', 'uadk', /Kunpeng/],
      ['mode', 'cpr-reboot', /CPR has not landed/],
      ['mode', 'cpr-transfer', /CPR has not landed/],
      ['mode', 'cpr-exec', /CPR has not landed/],
      ['cpr-exec-command', ['x'], /CPR has not landed/],
      ['x-rdma-chunk-size', 4096, /RDMA/],
    ] as const)
      await expect(ask(ours, 'migrate-set-parameters', { [name]: value })).rejects.toThrow(why);
    for (const uri of ['rdma:host:1', 'vsock:1:1'])
      await expect(ask(ours, 'migrate', { uri })).rejects.toThrow(/not available on this host/);
  });
});
