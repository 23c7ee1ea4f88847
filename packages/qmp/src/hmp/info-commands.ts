import { blocksOf } from '../commands/block-commands.ts';
import { translationText } from '../commands/machine-commands.ts';
import { QEMU_VERSION } from '../target.ts';
import type { HmpCommand } from './define-hmp.ts';
import { INFO_MIGRATION_COMMANDS } from './migration-commands.ts';
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
  ...INFO_MIGRATION_COMMANDS,
  info('kvm', 'whether the host runs guest code by itself', () => 'kvm support: not compiled\n'),
  info('mtree', 'the memory map', ({ target }) => target.describeMemory?.() ?? ''),
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
