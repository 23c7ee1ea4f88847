import { SternaError, unknownNameHint } from '@sterna/core';
import { MAX_CACHE_SIZE } from './ram/xbzrle-cache.ts';

/** Migration parameters under their QMP names (QEMU qapi/migration.json). Sizes in bytes, times in ms. */
export interface MigrationParameters {
  'announce-initial': number;
  'announce-max': number;
  'announce-rounds': number;
  'announce-step': number;
  'throttle-trigger-threshold': number;
  'cpu-throttle-initial': number;
  'cpu-throttle-increment': number;
  'cpu-throttle-tailslow': boolean;
  'tls-creds': string;
  'tls-hostname': string;
  'tls-authz': string;
  /** Bytes per second before the switchover; 0 is unlimited. */
  'max-bandwidth': number;
  /** Bytes per second assumed for the switchover; 0 uses the measured rate. */
  'avail-switchover-bandwidth': number;
  /** The pause the guest may see. */
  'downtime-limit': number;
  'x-checkpoint-delay': number;
  'multifd-channels': number;
  'xbzrle-cache-size': number;
  'max-postcopy-bandwidth': number;
  'max-cpu-throttle': number;
  'multifd-compression': string;
  'multifd-zlib-level': number;
  'multifd-qatzip-level': number;
  'multifd-zstd-level': number;
  /** Absent until it is set. */
  'block-bitmap-mapping'?: readonly unknown[];
  'x-vcpu-dirty-limit-period': number;
  'vcpu-dirty-limit': number;
  mode: string;
  'zero-page-detection': string;
  'direct-io': boolean;
  'x-rdma-chunk-size': number;
  'cpr-exec-command': readonly string[];
  /** Ours: ms after which a migration that has not converged ends as `x-on-timeout` says; 0 is never. */
  'x-deadline': number;
  /** Ours: `cancel` lets the guest stay, `pause` stops it and moves it with whatever is left. */
  'x-on-timeout': string;
}

/** Name of a parameter. */
export type ParameterName = keyof MigrationParameters;

interface Rule<V> {
  readonly default: V;
  /** What it takes, for lists. */
  readonly takes: string;
  /** What the value must be; undefined when it is. */
  readonly check: (value: V) => string | undefined;
}

const integer = (value: number, min: number, max: number, unit = ''): Rule<number> => ({
  default: value,
  takes: max === Number.MAX_SAFE_INTEGER ? `${min} or more${unit}` : `${min} to ${max}${unit}`,
  check: (given) =>
    typeof given === 'number' && Number.isInteger(given) && given >= min && given <= max
      ? undefined
      : `expects an integer in the range of ${min} to ${max}${unit}`,
});
const size = (value: number): Rule<number> => integer(value, 0, Number.MAX_SAFE_INTEGER, ' bytes');
const only = <V>(value: V, why: string): Rule<V> => ({
  default: value,
  takes: `only ${JSON.stringify(value)}: ${why}`,
  check: (given) =>
    given === value || (given === null && value === '') ? undefined : `can only be ${JSON.stringify(value)}: ${why}`,
});
const bool = (value: boolean): Rule<boolean> => ({
  default: value,
  takes: 'true or false',
  check: (given) => (typeof given === 'boolean' ? undefined : 'expects a boolean'),
});
/** Text; null empties it. */
const text = (value: string): Rule<string> => ({
  default: value,
  takes: 'text or null',
  check: (given) => (typeof given === 'string' || given === null ? undefined : 'expects a string or null'),
});
const word = (
  value: string,
  words: readonly string[],
  unavailable: Readonly<Record<string, string>> = {},
): Rule<string> => ({
  default: value,
  takes: [words.join(', '), ...Object.entries(unavailable).map(([name, why]) => `not ${name}: ${why}`)].join('; '),
  check(given) {
    if (words.includes(given)) return undefined;
    if (typeof given === 'string' && Object.hasOwn(unavailable, given)) return `cannot be that: ${unavailable[given]}`;
    return `expects one of ${words.join(', ')}`;
  },
});
const emptyList = <V extends readonly unknown[] | undefined>(value: V, why: string): Rule<V> => ({
  default: value,
  takes: `only an empty list: ${why}`,
  check: (given) => (Array.isArray(given) && given.length === 0 ? undefined : `can only be empty: ${why}`),
});
const CPR = 'CPR has not landed yet';

/** Order and limits as QEMU 11.1 has them; the last two are ours. Parameters of capabilities that are refused are kept, and have no effect. */
const RULES: { readonly [N in ParameterName]-?: Rule<MigrationParameters[N]> } = {
  'announce-initial': integer(50, 0, 100_000, ' ms'),
  'announce-max': integer(550, 0, 100_000, ' ms'),
  'announce-rounds': integer(5, 0, 1000),
  'announce-step': integer(100, 1, 10_000, ' ms'),
  'throttle-trigger-threshold': integer(50, 1, 100),
  'cpu-throttle-initial': integer(20, 1, 99),
  'cpu-throttle-increment': integer(10, 1, 99),
  'cpu-throttle-tailslow': bool(false),
  'tls-creds': text(''),
  'tls-hostname': text(''),
  'tls-authz': text(''),
  'max-bandwidth': size(128 * 2 ** 20),
  'avail-switchover-bandwidth': size(0),
  'downtime-limit': integer(300, 0, 2_000_000, ' ms'),
  'x-checkpoint-delay': integer(20_000, 0, 2 ** 32 - 1, ' ms'),
  'multifd-channels': integer(2, 1, 255),
  'xbzrle-cache-size': {
    default: 64 * 2 ** 20,
    takes: 'a power of two, a page to 2 GiB',
    check: (given) => {
      const log = Math.log2(given);
      return typeof given === 'number' && given >= 4096 && given <= MAX_CACHE_SIZE && Number.isInteger(log)
        ? undefined
        : 'expects a power of two that is at least a page and at most 2 GiB';
    },
  },
  'max-postcopy-bandwidth': size(0),
  'max-cpu-throttle': integer(99, 1, 99),
  'multifd-compression': word('none', ['none', 'zlib', 'zstd'], {
    qatzip: 'this host has no Intel QuickAssist',
    qpl: 'this host has no Intel In-Memory Analytics Accelerator',
    uadk: 'this host has no accelerator of Kunpeng',
  }),
  'multifd-zlib-level': integer(1, 0, 9),
  'multifd-qatzip-level': integer(1, 1, 9),
  'multifd-zstd-level': integer(1, 0, 20),
  'block-bitmap-mapping': emptyList<readonly unknown[] | undefined>(undefined, 'dirty bitmaps have not landed yet'),
  'x-vcpu-dirty-limit-period': integer(1000, 1, 1000, ' ms'),
  'vcpu-dirty-limit': integer(1, 1, Number.MAX_SAFE_INTEGER),
  mode: word('normal', ['normal'], { 'cpr-reboot': CPR, 'cpr-transfer': CPR, 'cpr-exec': CPR }),
  'zero-page-detection': word('multifd', ['none', 'legacy', 'multifd']),
  'direct-io': bool(false),
  'x-rdma-chunk-size': only(2 ** 20, 'there is no RDMA on this host'),
  'cpr-exec-command': emptyList<readonly string[]>([], CPR),
  'x-deadline': integer(0, 0, 2 ** 31 - 1, ' ms'),
  'x-on-timeout': word('cancel', ['cancel', 'pause']),
};

/** A parameter, for lists. */
export interface ParameterDescription {
  readonly name: ParameterName;
  /** Absent when it has no value until it is set. */
  readonly default: unknown;
  /** Values that it takes, and why not others. */
  readonly takes: string;
}

/** All parameters, in the order of `query-migrate-parameters`. */
export function describeParameters(): readonly ParameterDescription[] {
  return Object.entries(RULES).map(([name, rule]) => ({
    name: name as ParameterName,
    default: rule.default,
    takes: rule.takes,
  }));
}

/** The defaults. */
export function defaultParameters(): MigrationParameters {
  const entries = Object.entries(RULES).flatMap(([name, rule]) =>
    rule.default === undefined ? [] : [[name, rule.default]],
  );
  // RULES has a rule of the right type for each name.
  return Object.fromEntries(entries) as unknown as MigrationParameters;
}

/**
 * Applies a partial set to the current one; all of it or nothing.
 *
 * @throws SternaError `STERNA_ERR_CAPABILITY` for an unknown name or a value out of range.
 */
export function applyParameters(
  current: MigrationParameters,
  changes: Readonly<Record<string, unknown>>,
): MigrationParameters {
  const next: Record<string, unknown> = { ...current };
  for (const [name, value] of Object.entries(changes)) {
    if (!Object.hasOwn(RULES, name)) {
      throw refused(`migration parameter '${name}' is unknown, ${unknownNameHint(name, Object.keys(RULES))}`);
    }
    // The name was just found in the table; its rule checks the value's type.
    const rule = RULES[name as ParameterName] as Rule<unknown>;
    const wrong = rule.check(value);
    if (wrong !== undefined) throw refused(`migration parameter '${name}' ${wrong}, not ${JSON.stringify(value)}`);
    next[name] = value === null ? '' : value;
  }
  // Every value went through its rule.
  const result = next as unknown as MigrationParameters;
  if (result['max-cpu-throttle'] < result['cpu-throttle-initial']) {
    throw refused(`migration parameter 'max-cpu-throttle' is below 'cpu-throttle-initial'`);
  }
  return result;
}

function refused(message: string): SternaError {
  return new SternaError('STERNA_ERR_CAPABILITY', message);
}
