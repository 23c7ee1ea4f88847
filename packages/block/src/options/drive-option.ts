import { type BlockErrorPolicy, ConfigError, OptionReader, parseOptionList } from '@sterna/core';

/** A `-drive`: a named disk and the node below it. */
export interface DriveSpec {
  readonly id: string;
  readonly node: Readonly<Record<string, unknown>>;
  readonly rerror: BlockErrorPolicy;
  readonly werror: BlockErrorPolicy;
}

/** Keys of QEMU's `-drive` that are refused by name when they ask for something. */
const UNSUPPORTED: Readonly<Record<string, string>> = {
  bus: 'only if=none is there, which has no bus',
  unit: 'only if=none is there, which has no units',
  index: 'only if=none is there, which has no index',
  copy: 'copy on read has not landed yet',
  'copy-on-read': 'copy on read has not landed yet',
  serial: "it is the device's property",
  'throttling.group': 'throttling has not landed yet',
  bps: 'throttling has not landed yet',
  iops: 'throttling has not landed yet',
};
/** What `cache=` means. */
const CACHE_MODES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  writeback: {},
  writethrough: {},
  unsafe: { 'no-flush': 'on' },
};
const POLICIES: readonly string[] = ['report', 'ignore', 'enospc', 'stop'];

/**
 * Parses `-drive file=PATH,format=raw,if=none,id=ID,...`.
 *
 * @param index - How many drives came before, for the id of one that has none.
 * @throws ConfigError for what is not known, contradicts itself, or exists in QEMU but not here
 */
export function parseDrive(text: string, index: number): DriveSpec {
  const origin = '-drive';
  const reader = new OptionReader(parseOptionList(text, 'file'), origin);
  for (const [key, reason] of Object.entries(UNSUPPORTED)) {
    if (reader.string(key) !== undefined) throw unsupported(`'${key}=': ${reason}`);
  }
  const bus = reader.string('if');
  if (bus !== 'none')
    throw unsupported(
      `'if=${bus ?? 'virtio'}' needs a device that this machine does not bring along; use if=none,id=ID and a -device with drive=ID`,
    );
  const media = reader.string('media') ?? 'disk';
  if (media !== 'disk') throw unsupported(`'media=${media}' is not supported`);
  if (reader.bool('snapshot', false)) throw unsupported("'snapshot=on' needs overlays, which have not landed yet");
  const file = reader.string('file');
  if (file === undefined || file === '') throw bad("'file=' is missing: the path of an image");
  if (/^[a-z][a-z0-9+.-]*:/i.test(file) && !file.startsWith('file:'))
    throw unsupported(`'file=${file}': addresses with a protocol are not supported; use -blockdev`);
  // QUIRK: QEMU guesses the format, warns, and lets nobody write another format's header.
  const format = reader.string('format');
  if (format === undefined)
    throw unsupported(
      "an image's format is not guessed, since a guest could write another one's header; say format=raw",
    );
  const node = {
    driver: format,
    ...generalOptions(reader),
    file: { driver: 'file', filename: file.replace(/^file:/, ''), ...fileOptions(reader) },
  };
  const spec: DriveSpec = {
    id: reader.string('id') ?? `drive${index}`,
    node,
    rerror: policy(reader, 'rerror'),
    werror: policy(reader, 'werror'),
  };
  reader.finish();
  return spec;
}

function generalOptions(reader: OptionReader): Record<string, unknown> {
  const readOnly = reader.optionalBool('readonly') ?? reader.bool('read-only', false);
  const cache = reader.string('cache') ?? 'writeback';
  if (cache === 'none' || cache === 'directsync')
    throw unsupported(`'cache=${cache}' needs aligned buffers, which Node does not have; use writeback`);
  const mode = CACHE_MODES[cache];
  if (mode === undefined) throw bad(`cache '${cache}' is none of ${Object.keys(CACHE_MODES).join(', ')}`);
  if (cache === 'writethrough') throw unsupported("'cache=writethrough' is not supported; use writeback");
  const options: Record<string, unknown> = {
    'read-only': readOnly ? 'on' : 'off',
    'auto-read-only': reader.string('auto-read-only') ?? 'on',
    cache: mode,
  };
  for (const key of ['discard', 'detect-zeroes', 'node-name', 'force-share']) {
    const value = reader.string(key);
    if (value !== undefined) options[key] = value;
  }
  return options;
}

function fileOptions(reader: OptionReader): Record<string, string> {
  const options: Record<string, string> = {};
  for (const [key, name] of [
    ['aio', 'aio'],
    ['file.locking', 'locking'],
  ] as const) {
    const value = reader.string(key);
    if (value !== undefined) options[name] = value;
  }
  return options;
}

function policy(reader: OptionReader, key: 'rerror' | 'werror'): BlockErrorPolicy {
  const value = reader.string(key);
  if (value === undefined) return 'auto';
  if (!POLICIES.includes(value)) throw bad(`${key} '${value}' is none of ${POLICIES.join(', ')}`);
  if (key === 'rerror' && value === 'enospc')
    throw bad("a read never finds the disk full: 'rerror=enospc' has no meaning");
  // It is one of the list.
  return value as BlockErrorPolicy;
}

function bad(message: string): ConfigError {
  return new ConfigError('STERNA_ERR_OPTION_VALUE', message, { path: '-drive' });
}

function unsupported(message: string): ConfigError {
  return new ConfigError('STERNA_ERR_UNSUPPORTED', message, { path: '-drive' });
}
