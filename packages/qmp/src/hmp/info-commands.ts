import type { MigrationInfo } from '@sterna/migration';
import { blocksOf } from '../commands/block-commands.ts';
import { translationText } from '../commands/machine-commands.ts';
import { QEMU_VERSION } from '../target.ts';
import type { HmpCommand } from './define-hmp.ts';
import { infoSnapshots } from './snapshot-commands.ts';

const info = (name: string, help: string, run: HmpCommand['run'], usage = ''): HmpCommand => ({
  names: [name],
  usage,
  help,
  run,
});

/** What comes after `info`. */
export const INFO_COMMANDS: readonly HmpCommand[] = [
  info(
    'block',
    'the disks (-n: all nodes, -v: more of each)',
    ({ target }, args) => {
      const [name, ...rest] = args.filter((arg) => arg !== '-n' && arg !== '-v');
      if (rest.length > 0) throw new RangeError("'info block' takes [-n] [-v] and a name");
      return blocksOf(target).describe({ nodes: args.includes('-n'), verbose: args.includes('-v'), name });
    },
    '[-n] [-v] [name]',
  ),
  info('chardev', 'the character backends', ({ target }) =>
    target.chardevs.map(({ label, filename }) => `${label}: filename=${filename}\n`).join(''),
  ),
  info('cpus', 'the vCPUs', ({ target, cpuIndex }) =>
    target.cpus
      .map(({ index }) => `${index === cpuIndex ? '*' : ' '} CPU #${index}: thread_id=${target.pid}\n`)
      .join(''),
  ),
  info('jit', 'statistics of the translation of guest code', ({ target }) => translationText(target)),
  info('migrate', 'state and figures of the migration', ({ target }) => migrationText(target.migration.info())),
  info('migrate_capabilities', 'migration capabilities', ({ target }) =>
    target.migration
      .capabilities()
      .map(({ capability, state }) => `${capability}: ${state ? 'on' : 'off'}\n`)
      .join(''),
  ),
  info('migrate_parameters', 'migration parameters', ({ target }) =>
    Object.entries(target.migration.parameters())
      .map(([name, value]) => `${name}: ${parameterText(value)}\n`)
      .join(''),
  ),
  info('name', "the guest's name", ({ target }) => (target.name === undefined ? '' : `${target.name}\n`)),
  info('qtree', 'the tree of devices', ({ target }) => target.describeDevices()),
  info(
    'registers',
    'registers of a vCPU (-a: of all)',
    ({ target, cpuIndex }, [which]) => {
      const chosen = which === undefined ? cpuIndex : Number(which);
      const cpus = which === '-a' ? target.cpus : target.cpus.filter(({ index }) => index === chosen);
      if (cpus.length === 0) throw new RangeError(`there is no CPU #${which}`);
      return cpus.map((cpu) => `\nCPU#${cpu.index}\n${cpu.describe().trimEnd()}\n`).join('');
    },
    '[-a|vcpu]',
  ),
  infoSnapshots,
  info('status', 'the run state', ({ target }) => {
    const state = target.runState;
    if (state === 'running') return 'VM status: running\n';
    return `VM status: paused${state === 'paused' ? '' : ` (${state})`}\n`;
  }),
  info('uuid', "the guest's UUID", ({ target }) => `${target.uuid ?? '00000000-0000-0000-0000-000000000000'}\n`),
  info('version', 'the QEMU version kept to, and ours', ({ target }) => {
    const { major, minor, micro } = QEMU_VERSION;
    return `${major}.${minor}.${micro} (sterna ${target.version})\n`;
  }),
];

function parameterText(value: unknown): string {
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  return typeof value === 'string' && value === ''
    ? "''"
    : typeof value === 'object'
      ? JSON.stringify(value)
      : String(value);
}

/** `info migrate`: the lines QEMU prints for the figures there are. */
function migrationText(state: MigrationInfo): string {
  const lines: string[] = [];
  const line = (name: string, value: unknown, unit = '') => {
    if (value !== undefined) lines.push(`${name}: ${String(value)}${unit}`);
  };
  for (const reason of state['blocked-reasons'] ?? []) line('blocked', reason);
  if (state.status !== undefined) {
    line('Migration status', `${state.status}${state['error-desc'] === undefined ? '' : ` (${state['error-desc']})`}`);
    line('total time', state['total-time'], ' ms');
    line('expected downtime', state['expected-downtime'], ' ms');
    line('downtime', state.downtime, ' ms');
    line('setup', state['setup-time'], ' ms');
  }
  const { ram } = state;
  if (ram !== undefined) {
    const kib = (bytes: number) => Math.floor(bytes / 1024);
    line('transferred ram', kib(ram.transferred), ' kbytes');
    line('throughput', ram.mbps.toFixed(2), ' mbps');
    line('remaining ram', kib(ram.remaining), ' kbytes');
    line('total ram', kib(ram.total), ' kbytes');
    line('duplicate', ram.duplicate, ' pages');
    line('normal', ram.normal, ' pages');
    line('normal bytes', kib(ram['normal-bytes']), ' kbytes');
    line('dirty sync count', ram['dirty-sync-count']);
    line('page size', kib(ram['page-size']), ' kbytes');
    line('pages-per-second', ram['pages-per-second']);
    if (ram['dirty-pages-rate'] > 0) line('dirty pages rate', ram['dirty-pages-rate'], ' pages');
  }
  return lines.map((text) => `${text}\n`).join('');
}
