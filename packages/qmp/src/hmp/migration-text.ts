import type {
  DirtyLimitInfo,
  DirtyRateInfo,
  MigrationInfo,
  MigrationParameters,
  MigrationStats,
} from '@sterna/migration';
import { sizeText } from './size-text.ts';

/** Units that follow the value of a parameter. */
const UNITS: Readonly<Partial<Record<keyof MigrationParameters, string>>> = {
  'announce-initial': 'ms',
  'announce-max': 'ms',
  'announce-step': 'ms',
  'max-bandwidth': 'bytes/second',
  'avail-switchover-bandwidth': 'bytes/second',
  'max-postcopy-bandwidth': 'bytes/second',
  'downtime-limit': 'ms',
  'x-checkpoint-delay': 'ms',
  'xbzrle-cache-size': 'bytes',
  'x-vcpu-dirty-limit-period': 'ms',
  'vcpu-dirty-limit': 'MB/s',
  'x-rdma-chunk-size': 'bytes',
  'x-deadline': 'ms',
};

/** Parameters in the order of `info migrate_parameters`; others follow. */
const FIRST: readonly (keyof MigrationParameters)[] = [
  'announce-initial',
  'announce-max',
  'announce-rounds',
  'announce-step',
  'throttle-trigger-threshold',
  'cpu-throttle-initial',
  'cpu-throttle-increment',
  'cpu-throttle-tailslow',
  'max-cpu-throttle',
  'tls-creds',
  'tls-hostname',
  'tls-authz',
  'max-bandwidth',
  'avail-switchover-bandwidth',
  'max-postcopy-bandwidth',
  'downtime-limit',
  'x-checkpoint-delay',
  'multifd-channels',
  'multifd-compression',
  'zero-page-detection',
  'xbzrle-cache-size',
  'x-vcpu-dirty-limit-period',
  'vcpu-dirty-limit',
  'mode',
  'direct-io',
  'x-rdma-chunk-size',
  'cpr-exec-command',
];
/** Those that QEMU leaves out of the list. */
const UNLISTED: ReadonlySet<string> = new Set(['multifd-zlib-level', 'multifd-zstd-level', 'multifd-qatzip-level']);

/** Text of `info migrate_parameters`. */
export function parametersText(parameters: Readonly<MigrationParameters>): string {
  const names = new Set([...FIRST, ...(Object.keys(parameters) as (keyof MigrationParameters)[])]);
  return [...names]
    .filter((name) => parameters[name] !== undefined && !UNLISTED.has(name))
    .map((name) => {
      const [value, unit] = [parameterText(parameters[name], name), UNITS[name]];
      return `${name}:${value === '' ? '' : ` ${value}`}${unit === undefined ? '' : ` ${unit}`}\n`;
    })
    .join('');
}

function parameterText(value: unknown, name: string): string {
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  if (name.startsWith('tls-')) return `'${value}'`;
  if (Array.isArray(value))
    return value.every((item) => typeof item === 'string') ? value.join(' ') : JSON.stringify(value);
  return String(value);
}

/** Text of `info migrate`: the lines QEMU prints for the figures there are. */
export function migrationText(info: MigrationInfo): string {
  const lines: string[] = [];
  const reasons = info['blocked-reasons'] ?? [];
  if (reasons.length > 0) lines.push('Outgoing migration blocked:', ...reasons.map((reason) => `  ${reason}`));
  if (info.status !== undefined) {
    const why = info['error-desc'];
    lines.push(`Status: \t\t${info.status}${why === undefined ? '' : ` (${why})`}`);
  }
  if (info['total-time'] !== undefined) lines.push(`Time (ms): \t\t${timesText(info)}`);
  if (info.remaining !== undefined) lines.push(`Remaining: \t\t${sizeText(info.remaining)}`);
  const sockets = info['socket-address'] ?? [];
  if (sockets.length > 0) {
    const uris = sockets.map((at) => (at.type === 'unix' ? `unix:${at.path}` : `tcp:${at.host}:${at.port}`));
    lines.push('Sockets: [', ...uris.map((uri) => `\t${uri}`), ']');
  }
  if (info.ram !== undefined) lines.push('RAM info:', ...ramLines(info.ram));
  const cache = info['xbzrle-cache'];
  if (cache !== undefined && cache.pages > 0) {
    lines.push(
      'XBZRLE:',
      `  Cache: \t\tsize=${sizeText(cache['cache-size'])}, misses=${cache['cache-miss']}, miss_rate=${cache['cache-miss-rate'].toFixed(2)}`,
      `  Pages: \t\tencoded=${cache.pages}, overflow=${cache.overflow}, sent=${sizeText(cache.bytes)}, encoding_rate=${cache['encoding-rate'].toFixed(2)}`,
    );
  }
  if (info['cpu-throttle-percentage'] !== undefined)
    lines.push(`CPU Throttle (%): \t${info['cpu-throttle-percentage']}`);
  return lines.map((line) => `${line}\n`).join('');
}

function timesText(info: MigrationInfo): string {
  const parts: readonly (readonly [string, number | undefined])[] = [
    ['total', info['total-time']],
    ['setup', info['setup-time']],
    ['exp_down', info['expected-downtime']],
    ['down', info.downtime],
  ];
  return parts.flatMap(([name, ms]) => (ms === undefined ? [] : [`${name}=${ms}`])).join(', ');
}

function ramLines(ram: MigrationStats): readonly string[] {
  const optional = (name: string, value: number) => (value > 0 ? `, ${name}=${value}` : '');
  return [
    `  Throughput (Mbps): \t${ram.mbps.toFixed(2)}`,
    `  Sizes: \t\tpagesize=${sizeText(ram['page-size'])}, total=${sizeText(ram.total)}`,
    `  Transfers: \t\ttransferred=${sizeText(ram.transferred)}, remain=${sizeText(ram.remaining)}`,
    `    Channels: \t\tprecopy=${sizeText(ram['precopy-bytes'])}, multifd=${sizeText(ram['multifd-bytes'])}, postcopy=${sizeText(ram['postcopy-bytes'])}`,
    `    Page Types: \tnormal=${ram.normal}, zero=${ram.duplicate}`,
    `  Page Rates (pps): \ttransfer=${ram['pages-per-second']}${optional('dirty', ram['dirty-pages-rate'])}`,
    `  Others: \t\tdirty_syncs=${ram['dirty-sync-count']}${optional('downtime_bytes', ram['downtime-bytes'])}`,
  ];
}

/** Text of `info vcpu_dirty_limit`. */
export function dirtyLimitsText(limits: readonly DirtyLimitInfo[]): string {
  if (limits.length === 0) return 'Dirty page limit not enabled!\n';
  const line = (info: DirtyLimitInfo) =>
    `vcpu[${info['cpu-index']}], limit rate ${info['limit-rate']} (MB/s), current rate ${info['current-rate']} (MB/s)\n`;
  return limits.map(line).join('');
}

/** Text of `info dirty_rate`. */
export function dirtyRateText(info: DirtyRateInfo): string {
  return [
    `Status: ${info.status}`,
    // QEMU calls seconds so.
    `Start Time: ${info['start-time']} (ms)`,
    ...(info.mode === 'page-sampling' ? [`Sample Pages: ${info['sample-pages']} (per GB)`] : []),
    `Period: ${info['calc-time']} (sec)`,
    `Mode: ${info.mode}`,
    `Dirty rate: ${info['dirty-rate'] === undefined ? '(not ready)' : `${info['dirty-rate']} (MB/s)`}`,
    ...(info['vcpu-dirty-rate'] ?? []).map((one) => `vcpu[${one.id}], Dirty rate: ${one['dirty-rate']} (MB/s)`),
  ]
    .map((line) => `${line}\n`)
    .join('');
}
