import { ConfigError, type CpuTopology, OptionReader, parseOptionList, parseSize } from '@sterna/core';
import type { AccelOption, DeviceOption, MonitorOption, SnapshotStoreOption } from './options.ts';

/** Makes the error for a value that cannot be used. */
export function badValue(option: string, message: string): ConfigError {
  return new ConfigError('STERNA_ERR_OPTION_VALUE', message, { path: option });
}

/** Makes the error for something QEMU has and we do not. */
export function unsupported(option: string, message: string): ConfigError {
  return new ConfigError('STERNA_ERR_UNSUPPORTED', message, { path: option });
}

/** `-device NAME,key=value,...` or JSON. */
export function parseDevice(text: string): DeviceOption {
  const entries = text.trimStart().startsWith('{') ? jsonEntries('-device', text) : parseOptionList(text, 'driver');
  const values = new Map(entries);
  const driver = values.get('driver');
  if (driver === undefined || driver === '') throw badValue('-device', 'the name of the device is missing');
  return {
    driver,
    id: values.get('id'),
    properties: entries.filter(([key]) => key !== 'driver' && key !== 'id'),
    origin: `-device ${driver}`,
  };
}

/** The members of a flat JSON object as text. */
export function jsonEntries(option: string, text: string): (readonly [string, string])[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new ConfigError('STERNA_ERR_OPTION_VALUE', `this is no JSON: ${(cause as Error).message}`, {
      path: option,
      cause,
    });
  }
  return Object.entries(value as object).map(([key, member]) => {
    if (typeof member === 'boolean') return [key, member ? 'on' : 'off'];
    if (typeof member === 'string' || typeof member === 'number') return [key, String(member)];
    throw badValue(option, `'${key}' is neither text, number nor boolean`);
  });
}

/** `-m SIZE`, where a plain number is MiB. */
export function parseMemory(text: string): number {
  const reader = new OptionReader(parseOptionList(text, 'size'), '-m');
  const size = reader.required('size');
  for (const key of ['slots', 'maxmem']) {
    if (reader.string(key) !== undefined)
      throw unsupported('-m', `'${key}=' is for memory hotplug, which is not supported`);
  }
  reader.finish();
  try {
    return parseSize(size, 2 ** 20);
  } catch (cause) {
    throw badValue('-m', (cause as Error).message);
  }
}

/** Number of vCPUs and how they are grouped. */
export interface SmpOption {
  readonly cpuCount: number;
  readonly topology: CpuTopology;
}

/**
 * `-smp N` and its long forms. What is not given is derived as QEMU does since 6.2: more cores before more sockets, and one
 * thread.
 */
export function parseSmp(text: string): SmpOption {
  const reader = new OptionReader(parseOptionList(text, 'cpus'), '-smp');
  const part = (key: string) => reader.integer(key, 1, 0xffff);
  const cpus = part('cpus');
  const maxcpus = part('maxcpus');
  for (const key of ['drawers', 'books', 'dies', 'clusters', 'modules']) {
    if ((part(key) ?? 1) > 1) throw unsupported('-smp', `'${key}=' above 1 does not exist on this machine`);
  }
  const given = { sockets: part('sockets'), cores: part('cores'), threads: part('threads') };
  reader.finish();
  const topology = completeTopology(given, maxcpus ?? cpus);
  const { sockets, cores, threads } = topology;
  const count = cpus ?? maxcpus ?? sockets * cores * threads;
  if (maxcpus !== undefined && maxcpus < count) throw badValue('-smp', `maxcpus ${maxcpus} is below cpus ${count}`);
  if ((maxcpus ?? count) > count) throw unsupported('-smp', 'vCPU hotplug (maxcpus above cpus) is not supported');
  if (sockets * cores * threads !== count) {
    throw badValue(
      '-smp',
      `sockets (${sockets}) * cores (${cores}) * threads (${threads}) is ${sockets * cores * threads}, not ${count}`,
    );
  }
  return { cpuCount: count, topology };
}

/** Derives the parts of the topology that are not given. */
function completeTopology(
  { sockets, cores, threads }: { readonly [K in keyof CpuTopology]: number | undefined },
  count: number | undefined,
): CpuTopology {
  if (count === undefined) return { sockets: sockets ?? 1, cores: cores ?? 1, threads: threads ?? 1 };
  const share = (...others: number[]): number => Math.floor(count / others.reduce((a, b) => a * b, 1));
  if (cores === undefined) {
    const ofCore = threads ?? 1;
    const ofMachine = sockets ?? 1;
    return { sockets: ofMachine, cores: share(ofMachine, ofCore), threads: ofCore };
  }
  if (sockets === undefined) return { sockets: share(cores, threads ?? 1), cores, threads: threads ?? 1 };
  return { sockets, cores, threads: threads ?? share(sockets, cores) };
}

/** `-mon chardev=ID[,mode=...][,pretty=on]`. */
export function parseMon(text: string): MonitorOption {
  const reader = new OptionReader(parseOptionList(text, 'chardev'), '-mon');
  const chardev = reader.required('chardev');
  const mode = reader.string('mode') ?? 'readline';
  if (mode !== 'control' && mode !== 'readline')
    throw badValue('-mon', `mode '${mode}' is neither control nor readline`);
  const pretty = reader.bool('pretty', false);
  reader.finish();
  return { mode, chardev: `chardev:${chardev}`, pretty, origin: `-mon ${chardev}` };
}

/** `-name GUEST[,process=NAME]`. */
export function parseName(text: string): { readonly guest?: string; readonly process?: string } {
  const reader = new OptionReader(parseOptionList(text, 'guest'), '-name');
  const guest = reader.string('guest');
  const process = reader.string('process');
  reader.bool('debug-threads', false);
  reader.finish();
  return { ...(guest === undefined ? {} : { guest }), ...(process === undefined ? {} : { process }) };
}

/** A UUID in the usual form. */
export function parseUuid(text: string): string {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) throw badValue('-uuid', `'${text}' is not a UUID`);
  return text.toLowerCase();
}

/** `-global DRIVER.PROP=VALUE` or its long form. */
export function parseGlobal(text: string): readonly [key: string, value: string] {
  const short = /^([^.=,]+)\.([^=]+)=(.*)$/.exec(text);
  if (short !== null) return [`${short[1]}.${short[2]}`, short[3]!];
  const reader = new OptionReader(parseOptionList(text), '-global');
  const [driver, property, value] = [
    reader.required('driver'),
    reader.required('property'),
    reader.string('value') ?? '',
  ];
  reader.finish();
  return [`${driver}.${property}`, value];
}

/** `-rtc base=utc|localtime|DATE,clock=host|rt|vm,driftfix=none`. */
export function parseRtc(text: string, localOffsetMinutes: number): { source: 'host' | 'vm'; baseNs?: bigint } {
  const reader = new OptionReader(parseOptionList(text), '-rtc');
  const clock = reader.string('clock') ?? 'host';
  const base = reader.string('base') ?? 'utc';
  const driftfix = reader.string('driftfix') ?? 'none';
  reader.finish();
  if (clock !== 'host' && clock !== 'vm' && clock !== 'rt')
    throw badValue('-rtc', `clock '${clock}' is none of host, rt, vm`);
  if (driftfix === 'slew') throw unsupported('-rtc', "'driftfix=slew' is not supported");
  if (driftfix !== 'none') throw badValue('-rtc', `driftfix '${driftfix}' is neither none nor slew`);
  const source = clock === 'vm' ? 'vm' : 'host';
  if (base === 'utc') return { source };
  if (base === 'localtime') return { source, baseNs: BigInt(Date.now() - localOffsetMinutes * 60_000) * 1_000_000n };
  const ms = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2})?$/.test(base)
    ? Date.parse(base.length === 10 ? base : `${base}Z`)
    : Number.NaN;
  if (Number.isNaN(ms))
    throw badValue('-rtc', `base '${base}' is none of utc, localtime, 2026-11-20T18:00:00, 2026-11-20`);
  return { source, baseNs: BigInt(ms) * 1_000_000n };
}

/** `-icount SHIFT`: virtual ns per instruction as a power of two. */
export function parseIcount(text: string): number {
  const reader = new OptionReader(parseOptionList(text, 'shift'), '-icount');
  const shift = reader.required('shift');
  if (shift === 'auto') throw unsupported('-icount', "'shift=auto' is not supported; give a number from 0 to 10");
  if (!/^([0-9]|10)$/.test(shift)) throw badValue('-icount', `shift '${shift}' is not a number from 0 to 10`);
  if (!reader.bool('sleep', true)) throw unsupported('-icount', "'sleep=off' is not supported");
  if (reader.bool('align', false)) throw unsupported('-icount', "'align=on' is not supported");
  for (const key of ['rr', 'rrfile', 'rrsnapshot']) {
    if (reader.string(key) !== undefined)
      throw unsupported('-icount', `'${key}=' (record and replay) is not supported`);
  }
  reader.finish();
  return Number(shift);
}

/** `-machine accel=LIST`: the first that is there is taken, and tcg is the name under which our engine goes. */
export function checkAccelerator(text: string, option: string): void {
  const names = text.split(':').filter((name) => name !== '');
  if (names.includes('tcg')) return;
  if (names.length === 0) throw badValue(option, 'the name of the accelerator is missing');
  throw unsupported(option, `accelerator '${names[0]}' is not supported; there is only tcg, the name of this engine`);
}

/**
 * `-accel tcg[,PROP=VALUE...]`. `tb-size`, `thread`, `split-wx` and `one-insn-per-tb` are QEMU's; the properties from `jit` on
 * are ours.
 */
export function parseAccel(text: string): AccelOption {
  const option = '-accel';
  const reader = new OptionReader(parseOptionList(text, 'accel'), option);
  checkAccelerator(reader.required('accel'), option);
  const tbSize = reader.integer('tb-size', 0, 1024);
  if ((reader.string('thread') ?? 'single') !== 'single')
    throw unsupported(option, "'thread=multi' is not supported: vCPUs take turns in one thread");
  if (reader.bool('one-insn-per-tb', false))
    throw unsupported(option, "'one-insn-per-tb=on' is not supported; jit=off interprets every instruction");
  if (reader.bool('split-wx', false))
    throw unsupported(option, "'split-wx=on' is not supported: WebAssembly needs it not");
  const enabled = reader.bool('jit', true);
  const threshold = reader.integer('jit-threshold', 1, 0x7fff_ffff);
  const threaded = reader.bool('jit-thread', true);
  const counters = reader.bool('jit-counters', false);
  const hotSpotFile = reader.string('jit-hot-spots');
  reader.finish();
  return {
    translation: {
      enabled,
      threaded,
      counters,
      hotSpots: hotSpotFile !== undefined,
      ...(threshold === undefined ? {} : { threshold }),
      // as in QEMU, 0 is the default
      ...(tbSize === undefined || tbSize === 0 ? {} : { cacheBytes: tbSize * 2 ** 20 }),
    },
    ...(hotSpotFile === undefined ? {} : { hotSpotFile }),
  };
}

/** `-snapshot-store dir=PATH[,name=NAME]`. */
export function parseSnapshotStore(text: string): SnapshotStoreOption {
  const reader = new OptionReader(parseOptionList(text, 'dir'), '-snapshot-store');
  const directory = reader.required('dir');
  const name = reader.string('name') ?? SNAPSHOT_STORE;
  reader.finish();
  return { name, directory };
}

/** Name of the place for snapshots when the user gives it none. */
export const SNAPSHOT_STORE = 'snapshots';

/** `-action reboot=...,shutdown=...`. */
export function parseAction(text: string): { reboot?: 'reset' | 'shutdown'; shutdown?: 'poweroff' | 'pause' } {
  const reader = new OptionReader(parseOptionList(text), '-action');
  const reboot = reader.string('reboot');
  const shutdown = reader.string('shutdown');
  for (const key of ['panic', 'watchdog']) {
    if (reader.string(key) !== undefined)
      throw unsupported('-action', `'${key}=' is not supported: no device here raises it`);
  }
  reader.finish();
  if (reboot !== undefined && reboot !== 'reset' && reboot !== 'shutdown')
    throw badValue('-action', `reboot=${reboot} is neither reset nor shutdown`);
  if (shutdown !== undefined && shutdown !== 'poweroff' && shutdown !== 'pause')
    throw badValue('-action', `shutdown=${shutdown} is neither poweroff nor pause`);
  return { ...(reboot === undefined ? {} : { reboot }), ...(shutdown === undefined ? {} : { shutdown }) };
}
