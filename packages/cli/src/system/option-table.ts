import { parseBlockdev, parseDrive } from '@sterna/block';
import { parseChardev, parseChardevOption, parseObject, parseOptionList } from '@sterna/core';
import {
  badValue,
  checkAccelerator,
  parseAccel,
  parseAction,
  parseDevice,
  parseGlobal,
  parseIcount,
  parseMemory,
  parseMon,
  parseName,
  parseRtc,
  parseSmp,
  parseSnapshotStore,
  parseUuid,
  unsupported,
} from './option-values.ts';
import type { SystemOptions } from './options.ts';

/** One option of the command line. */
export interface OptionRow {
  /** Names without the dash; the first is shown. */
  readonly names: readonly string[];
  /** Form of the argument; without one the option stands alone. */
  readonly argument?: string;
  readonly help: string;
  /** Adds to lists of the options, and answers the values it sets. */
  // biome-ignore lint/suspicious/noConfusingVoidType: rows that only add to a list answer nothing
  apply(options: SystemOptions, argument: string): Partial<SystemOptions> | void;
}

const row = (names: string, argument: string | undefined, help: string, apply: OptionRow['apply']): OptionRow => ({
  names: names.split(' '),
  ...(argument === undefined ? {} : { argument }),
  help,
  apply,
});

function monitor(
  options: SystemOptions,
  mode: 'control' | 'readline',
  text: string,
  option: string,
  pretty = false,
): void {
  options.defaultMonitor = false;
  const target = parseChardev(text, option);
  if (target.kind !== 'none') options.monitors.push({ mode, chardev: text, pretty, origin: `${option} ${text}` });
}

/** Options in the order of the help. Everything else is refused by name. */
export const OPTION_TABLE: readonly OptionRow[] = [
  row('help h', undefined, 'this list', () => ({ info: 'help' })),
  row('version', undefined, 'version', () => ({ info: 'version' })),
  row(
    'machine M',
    '[type=]NAME[,PROP=VALUE...]',
    'machine type and its properties; repeated options add up',
    (o, text) => {
      if (isHelp(text)) {
        o.info = 'machines';
        return;
      }
      for (const [key, value] of parseOptionList(text, 'type')) {
        if (key === 'accel') checkAccelerator(value, '-machine accel=');
        else o.machine[key] = value;
      }
    },
  ),
  row(
    'accel',
    'tcg[,tb-size=MIB][,jit=off][,jit-threshold=N][,jit-PROP=...]',
    'engine; tcg is the name of ours (tcg,help lists its properties)',
    (o, text) => {
      if (isHelp(text)) o.info = 'accelerators';
      else if (/^tcg,(help|\?)$/.test(text)) o.info = 'accelerator-properties';
      else o.accel = parseAccel(text);
    },
  ),
  row('cpu', 'MODEL[,+FEATURE|-FEATURE|PROP=VALUE...]', 'CPU model (-cpu help lists them)', (o, text) => {
    if (isHelp(text)) o.info = 'cpus';
    else o.cpu = text;
  }),
  row('smp', 'N', 'number of vCPUs', (_o, text) => parseSmp(text)),
  row('m', 'SIZE', 'RAM; a plain number is MiB', (_o, text) => ({ ramSize: parseMemory(text) })),
  row('kernel', 'FILE', 'bzImage, PVH ELF or multiboot kernel', (_o, text) => ({ kernel: text })),
  row('initrd', 'FILE', 'initial ramdisk', (_o, text) => ({ initrd: text })),
  row('append', 'TEXT', 'kernel command line', (_o, text) => ({ append: text })),
  row('bios', 'FILE', 'firmware image', (_o, text) => ({ bios: text })),
  row(
    'device',
    'NAME[,PROP=VALUE...] or JSON',
    'adds a device (-device help lists them, NAME,help its properties)',
    (o, text) => {
      if (isHelp(text)) o.info = 'devices';
      else if (/^[^,{]+,(help|\?)$/.test(text)) o.info = { device: text.split(',')[0]! };
      else o.devices.push(parseDevice(text));
    },
  ),
  row(
    'object',
    'TYPE,id=ID[,PROP=VALUE...] or JSON',
    'makes an object (-object help lists the types, TYPE,help its properties)',
    (o, text) => {
      if (isHelp(text)) o.info = 'objects';
      else if (/^[^,{]+,(help|\?)$/.test(text)) o.info = { object: text.split(',')[0]! };
      else o.objects.push(parseObject(text));
    },
  ),
  row('global', 'DRIVER.PROP=VALUE', 'default of a device property, or of migration.*', (o, text) => {
    const [key, value] = parseGlobal(text);
    o.globals[key] = value;
  }),
  row(
    'plugin',
    'PACKAGE|FILE',
    'loads a plugin: an installed package or a file',
    (o, text) => void o.plugins.push(text),
  ),
  row('blockdev', 'DRIVER,node-name=NAME[,...] or JSON', 'disk: a node of the block graph', (o, text) => {
    o.blockdevs.push(parseBlockdev(text));
  }),
  row('drive', 'file=FILE,format=raw,if=none,id=ID[,...]', 'disk for a -device with drive=ID', (o, text) => {
    o.drives.push(parseDrive(text, o.drives.length));
  }),
  row('chardev', '{stdio|null|file|socket|ringbuf},id=ID[,...]', 'character backend', (o, text) => {
    const option = parseChardevOption(text);
    if (o.chardevs.some(({ id }) => id === option.id))
      throw badValue('-chardev', `there are two with the id '${option.id}'`);
    o.chardevs.push(option);
  }),
  row('serial', 'BACKEND', 'serial port: stdio, mon:stdio, null, none, file:, unix:, tcp:, chardev:ID', (o, text) => {
    parseChardev(text, '-serial');
    o.serials.push(text);
  }),
  row('monitor', 'BACKEND', 'human monitor', (o, text) => monitor(o, 'readline', text, '-monitor')),
  row('qmp', 'BACKEND', 'QMP server', (o, text) => monitor(o, 'control', text, '-qmp')),
  row('qmp-pretty', 'BACKEND', 'QMP server with indented output', (o, text) =>
    monitor(o, 'control', text, '-qmp-pretty', true),
  ),
  row('mon', '[chardev=]ID[,mode=readline|control]', 'monitor or QMP server on a -chardev', (o, text) => {
    o.defaultMonitor = false;
    o.monitors.push(parseMon(text));
  }),
  row('display', 'none', 'there is no display', (_o, text) => {
    if (text !== 'none') throw unsupported('-display', `display '${text}' is not supported; use none or -nographic`);
  }),
  row('nographic', undefined, 'serial port and monitor on the terminal (Ctrl-A h for help)', () => ({
    nographic: true,
  })),
  row('vga', 'none', 'there is no display', (_o, text) => {
    if (text !== 'none') throw unsupported('-vga', `VGA '${text}' is not supported; use none`);
  }),
  row('net', 'none', 'there is no network', (_o, text) => {
    if (text !== 'none') throw unsupported('-net', 'networks are not supported yet; use none');
  }),
  row('nic', 'none', 'there is no network', (_o, text) => {
    if (text !== 'none') throw unsupported('-nic', 'networks are not supported yet; use none');
  }),
  row('nodefaults', undefined, 'no default serial port and monitor', () => ({ nodefaults: true })),
  row('no-user-config', undefined, 'accepted: there are no such files', () => {}),
  row('S', undefined, 'does not start the guest; cont does', () => ({ autostart: false })),
  row('gdb', 'BACKEND', 'lets gdb connect: tcp:HOST:PORT, unix:PATH,server=on, stdio, none', (o, text) => {
    o.gdb = text;
  }),
  row('s', undefined, 'short for -gdb tcp::1234', () => ({ gdb: 'tcp::1234' })),
  row('no-reboot', undefined, 'ends instead of rebooting', () => ({ reboot: 'shutdown' })),
  row('no-shutdown', undefined, 'stops instead of ending when the guest powers off', () => ({ shutdown: 'pause' })),
  row('action', 'reboot=reset|shutdown,shutdown=poweroff|pause', 'what follows a reset or power-off', (_o, text) =>
    parseAction(text),
  ),
  row('incoming', 'defer|URI', 'waits for a migration: tcp:H:P, unix:PATH, exec:CMD, fd:N, file:PATH', (o, text) => {
    o.incoming = text;
  }),
  row('migration-trace', 'FILE', "writes what a migration does into a file for 'sterna report'", (_o, text) => ({
    migrationTrace: text,
  })),
  row('only-migratable', undefined, 'refuses devices that cannot be migrated', () => ({ onlyMigratable: true })),
  row('name', 'NAME[,process=NAME]', "guest's name", (o, text) => {
    const { guest, process } = parseName(text);
    if (guest !== undefined) o.name = guest;
    if (process !== undefined) o.processName = process;
  }),
  row('uuid', 'UUID', "guest's UUID", (_o, text) => ({ uuid: parseUuid(text) })),
  row('snapshot-store', 'dir=PATH[,name=NAME]', 'directory for snapshots (savevm, snapshot-save)', (_o, text) => ({
    snapshotStore: parseSnapshotStore(text),
  })),
  row('loadvm', 'NAME', 'begins with a saved snapshot', (_o, text) => ({ loadvm: text })),
  row('pidfile', 'FILE', 'writes the process id there', (_o, text) => ({ pidfile: text })),
  row('daemonize', undefined, 'goes to the background once everything is set up', () => ({ daemonize: true })),
  row('rtc', '[base=utc|localtime|DATE][,clock=host|vm]', 'real-time clock', (o, text) => {
    o.rtc = parseRtc(text, new Date().getTimezoneOffset());
  }),
  row('icount', '[shift=]N', 'virtual time counts instructions of 2^N ns', (_o, text) => ({
    icountShift: parseIcount(text),
  })),
  row('d', 'guest_errors', 'logs what guests do wrong', (o, text) => {
    for (const item of text.split(',')) {
      if (item !== 'guest_errors')
        throw unsupported('-d', `log item '${item}' is not supported; there is guest_errors`);
    }
    o.logGuestErrors = true;
  }),
  row('dump-vmstate', 'FILE', "writes the tables of the machine's state as JSON and ends", (_o, text) => ({
    vmstateDump: text,
  })),
  row('D', 'FILE', 'where the log goes instead of stderr', (_o, text) => ({ logFile: text })),
];

/** Options of QEMU that are refused as not supported instead of unknown. `true`: they take an argument. */
export const UNSUPPORTED_OPTIONS: Readonly<Record<string, boolean>> = {
  'add-fd': true,
  audio: true,
  audiodev: true,
  boot: true,
  cdrom: true,
  compat: true,
  'enable-kvm': false,
  fda: true,
  fdb: true,
  fsdev: true,
  'full-screen': false,
  fw_cfg: true,
  g: true,
  hda: true,
  hdb: true,
  hdc: true,
  hdd: true,
  k: true,
  'mem-path': true,
  'mem-prealloc': false,
  msg: true,
  mtdblock: true,
  netdev: true,
  numa: true,
  overcommit: true,
  parallel: true,
  perfmap: false,
  pflash: true,
  preconfig: false,
  readconfig: true,
  runas: true,
  'run-with': true,
  sandbox: true,
  sd: true,
  set: true,
  shim: true,
  smbios: true,
  snapshot: false,
  spice: true,
  'tb-size': true,
  tpmdev: true,
  trace: true,
  usb: false,
  usbdevice: true,
  virtfs: true,
  vnc: true,
  'watchdog-action': true,
  writeconfig: true,
  acpitable: true,
  dtb: true,
};

function isHelp(text: string): boolean {
  return text === 'help' || text === '?';
}
