import {
  CAPABILITY_NAMES,
  type CapabilityStatus,
  defaultParameters,
  type MigrationInfo,
  type MigrationParameters,
} from '@sterna/migration';
import { type Members, type QapiType, t } from '../schema/types.ts';

/** QAPI MigrationStatus. */
export const MIGRATION_STATUS = t.enum([
  'none',
  'setup',
  'cancelling',
  'cancelled',
  'active',
  'postcopy-device',
  'postcopy-active',
  'postcopy-paused',
  'postcopy-recover-setup',
  'postcopy-recover',
  'completed',
  'failing',
  'failed',
  'colo',
  'pre-switchover',
  'device',
  'wait-unplug',
]);

const INET = {
  host: t.str,
  port: t.str,
  numeric: t.optional(t.bool),
  to: t.optional(t.int),
  ipv4: t.optional(t.bool),
  ipv6: t.optional(t.bool),
  'keep-alive': t.optional(t.bool),
};

/** QAPI SocketAddress, of kinds that exist here. */
export const SOCKET_ADDRESS = t.union(
  'type',
  { type: t.enum(['inet', 'unix', 'fd']) },
  { inet: INET, unix: { path: t.str, abstract: t.optional(t.bool), tight: t.optional(t.bool) }, fd: { str: t.str } },
);

/** QAPI MigrationAddress: a union within a union, which the migration package takes apart and checks. */
const MIGRATION_ADDRESS: QapiType<Readonly<Record<string, unknown>>> = t.described({
  kind: 'object',
  members: { transport: t.enum(['socket', 'exec', 'file']) },
  tag: 'transport',
  variants: {
    socket: SOCKET_ADDRESS,
    exec: t.object({ args: t.array(t.str) }),
    file: t.object({ filename: t.str, offset: t.int }),
  },
  check: (value) => value,
});

/** QAPI MigrationChannel. */
export const MIGRATION_CHANNEL = t.object({ 'channel-type': t.enum(['main', 'cpr']), addr: MIGRATION_ADDRESS });

const CAPABILITY = t.enum(CAPABILITY_NAMES, { 'x-colo': ['unstable'], 'x-ignore-shared': ['unstable'] });

/** QAPI MigrationCapabilityStatus. */
export const CAPABILITY_STATUS: QapiType<CapabilityStatus> = t.object({ capability: CAPABILITY, state: t.bool });

/** Parameters whose type is not seen from their default. */
const SPECIAL: Readonly<Partial<Record<keyof MigrationParameters, QapiType<unknown>>>> = {
  'tls-creds': t.alternate([t.str, t.null]),
  'tls-hostname': t.alternate([t.str, t.null]),
  'tls-authz': t.alternate([t.str, t.null]),
  'multifd-compression': t.enum(['none', 'zlib', 'zstd']),
  'cpr-exec-command': t.array(t.str),
  mode: t.enum(['normal', 'cpr-reboot', 'cpr-transfer', 'cpr-exec']),
  'zero-page-detection': t.enum(['none', 'legacy', 'multifd']),
  'x-on-timeout': t.enum(['cancel', 'pause']),
  'block-bitmap-mapping': t.array(
    t.object({
      'node-name': t.str,
      alias: t.str,
      bitmaps: t.array(
        t.object({
          name: t.str,
          alias: t.str,
          transform: t.optional(t.object({ persistent: t.optional(t.bool) })),
        }),
      ),
    }),
  ),
};

function parameterType(name: string, preset: unknown): QapiType<unknown> {
  const special = SPECIAL[name as keyof MigrationParameters];
  if (special !== undefined) return special;
  return typeof preset === 'boolean' ? t.bool : typeof preset === 'number' ? t.int : t.str;
}

// Some have no value at first, and are named only here.
const PARAMETERS = t.object(
  Object.fromEntries(
    Object.entries({ ...SPECIAL, ...defaultParameters() }).map(([name, preset]) => {
      const type = t.optional(parameterType(name, preset));
      return [name, name.startsWith('x-') ? t.featured(type, 'unstable') : type];
    }),
  ) as Members,
);

/** QAPI MigrationParameters, as a command's arguments; the migration package checks names and values. */
export const PARAMETER_CHANGES: QapiType<Readonly<Record<string, unknown>>> = t.described(PARAMETERS);
/** QAPI MigrationParameters, as a result. */
export const MIGRATION_PARAMETERS = PARAMETERS as unknown as QapiType<Readonly<MigrationParameters>>;

const MIGRATION_STATS = t.object({
  transferred: t.int,
  remaining: t.int,
  total: t.int,
  duplicate: t.int,
  normal: t.int,
  'normal-bytes': t.int,
  'dirty-pages-rate': t.int,
  mbps: t.number,
  'dirty-sync-count': t.int,
  'postcopy-requests': t.int,
  'page-size': t.int,
  'multifd-bytes': t.int,
  'pages-per-second': t.int,
  'precopy-bytes': t.int,
  'downtime-bytes': t.int,
  'postcopy-bytes': t.int,
  'dirty-sync-missed-zero-copy': t.int,
});

const XBZRLE_CACHE = t.object({
  'cache-size': t.int,
  bytes: t.int,
  pages: t.int,
  'cache-miss': t.int,
  'cache-miss-rate': t.number,
  'encoding-rate': t.number,
  overflow: t.int,
});

/** QAPI MigrationInfo. */
export const MIGRATION_INFO = t.object({
  status: t.optional(MIGRATION_STATUS),
  ram: t.optional(MIGRATION_STATS),
  'xbzrle-cache': t.optional(XBZRLE_CACHE),
  'dirty-limit-throttle-time-per-round': t.optional(t.int),
  vfio: t.optional(t.object({ transferred: t.int })),
  'total-time': t.optional(t.int),
  'setup-time': t.optional(t.int),
  downtime: t.optional(t.int),
  'expected-downtime': t.optional(t.int),
  'cpu-throttle-percentage': t.optional(t.int),
  'error-desc': t.optional(t.str),
  'blocked-reasons': t.optional(t.array(t.str)),
  'socket-address': t.optional(t.array(SOCKET_ADDRESS)),
}) as unknown as QapiType<MigrationInfo>;
