/**
 * Every error of Sterna has a code, a class and an exit code; this table is the only place where they are listed.
 * `docs/reference/errors.md` is generated from it.
 */
export interface ErrorCodeInfo {
  /** One sentence: what happened and what to do. */
  readonly help: string;
  /** Process exit code when the error ends a command: 1 guest, 2 usage, 3 blocked, 4 migration failed and source running, 5 ownership unknown. */
  readonly exit: 1 | 2 | 3 | 4 | 5;
}

const usage = (help: string): ErrorCodeInfo => ({ help, exit: 2 });
const migration = (help: string): ErrorCodeInfo => ({ help, exit: 4 });
const host = (help: string): ErrorCodeInfo => ({ help, exit: 1 });

/** All error codes, by name. */
export const ERROR_CODES = {
  // configuration
  STERNA_ERR_PROPERTY_UNKNOWN: usage(
    'A property name is not in the table of this device or machine; the message lists the valid names',
  ),
  STERNA_ERR_PROPERTY_VALUE: usage('A property value does not parse as its type or is out of range'),
  STERNA_ERR_PROPERTY_MISSING: usage('A required property was not given'),
  STERNA_ERR_DEVICE_UNKNOWN: usage('No loaded plugin provides a device of this name'),
  STERNA_ERR_MACHINE_UNKNOWN: usage('No loaded plugin provides a machine type of this name'),
  STERNA_ERR_CPU_UNKNOWN: usage('No loaded plugin provides a CPU model of this name'),
  STERNA_ERR_DUPLICATE_ID: usage('Two objects of one machine have the same id'),
  STERNA_ERR_BUS_ADDRESS: usage('A device has no address on its bus, or an address that is taken or impossible'),
  STERNA_ERR_REGION_CONFLICT: usage('Two memory regions of the same priority overlap'),
  STERNA_ERR_RAM_SIZE: usage('The RAM size is zero, not a multiple of a page, or larger than this build can address'),
  STERNA_ERR_SERVICE_MISSING: usage('A device asks for a service that nobody provides'),
  STERNA_ERR_REALIZE: usage('A device refused its configuration'),
  STERNA_ERR_PLUGIN_LOAD: usage('A plugin could not be loaded; the message names the plugin and the reason'),
  STERNA_ERR_PLUGIN_VERSION: usage('A plugin was made for another version of the plugin API'),
  STERNA_ERR_OPTION_UNKNOWN: usage('A command line option is not known'),
  STERNA_ERR_OPTION_VALUE: usage('A command line option has a value that cannot be used'),
  STERNA_ERR_UNSUPPORTED: usage('The feature exists in QEMU but not here; the message names it'),
  STERNA_ERR_IMAGE_FORMAT: usage('A kernel, firmware or other image is not in a format that can be booted'),
  STERNA_ERR_ASSEMBLER: usage('Assembly source cannot be assembled; the message names file, line and reason'),
  STERNA_ERR_PACKAGE_SOURCE: usage(
    'This system has no apt-get and dpkg-deb to fetch Debian packages with; name the files yourself',
  ),
  STERNA_ERR_CHARDEV: usage('A character backend could not be made'),
  STERNA_ERR_OBJECT: usage('A user-creatable object cannot be made, or does not exist; the message says why'),
  STERNA_ERR_BLOCK_DRIVER: usage('No loaded plugin provides a block driver of this name'),
  STERNA_ERR_BLOCK_NODE: usage('A block node does not exist, exists already, or is in use; the message names it'),
  STERNA_ERR_BLOCK_PERMISSION: usage(
    'Two users of a block node do not go together, or one wants to write to a read-only one; the message names them',
  ),
  // run time
  STERNA_ERR_HOST_IO: host('A file, socket or process of the host failed'),
  STERNA_ERR_BLOCK_IO: host('A request on a disk failed; the message has the node and the reason of the host'),
  STERNA_ERR_BLOCK_LOCKED: host(
    'Another process uses a disk image in a way that excludes this one; end it, or migrate from it',
  ),
  STERNA_ERR_BLOCK_INACTIVE: host(
    'A disk belongs to another process since a migration; it becomes ours when the guest runs here',
  ),
  STERNA_ERR_BLOCK_ACTIVATION: host('A disk could not be given up or taken over; the message names the node'),
  STERNA_ERR_PACKAGE_FETCH: host(
    'A Debian package could not be fetched or unpacked; the message has the reason of apt-get or dpkg-deb',
  ),
  STERNA_ERR_INTERNAL: host('A rule inside Sterna was broken; please report it'),
  STERNA_ERR_TRACE: usage('A file is no trace of a migration, or of a version that is not known'),
  STERNA_ERR_RUN_STATE: host('The machine is in a run state that does not allow this'),
  STERNA_ERR_JOB: host('There is no such job, its id cannot be used, or it does not take this order in its status'),
  STERNA_ERR_SNAPSHOT: host(
    'A snapshot of the machine cannot be saved, found, loaded or deleted; the message has the reason',
  ),
  STERNA_ERR_SNAPSHOT_CORRUPT: host('A saved snapshot is incomplete or its content has changed; it is not loaded'),
  // migration
  STERNA_ERR_STREAM: migration('The incoming migration stream is cut, corrupt, or from a different machine'),
  STERNA_ERR_TRANSPORT: migration('A migration channel failed'),
  STERNA_ERR_TLS: migration(
    'A migration channel could not be secured: credentials, certificate, name or access list; the message says which and what to do',
  ),
  STERNA_ERR_MIGRATION_STATE: migration('The migration is in a state that does not allow this'),
  STERNA_ERR_MIGRATION_CANCELLED: migration('The migration was cancelled'),
  STERNA_ERR_DEVICE_STATE: migration(
    'A device could not save, hand over or take its state; the message names its section and the reason',
  ),
  STERNA_ERR_DESTINATION: migration(
    'The destination reports that it could not take the guest; query-migrate and the log there say why',
  ),
  STERNA_ERR_OWNERSHIP_UNKNOWN: {
    help: 'The source was lost during a migration; look at the destination before starting the guest anywhere',
    exit: 5,
  },
  STERNA_ERR_MIGRATION_BLOCKED: {
    help: 'A device or configuration forbids migration now; the message lists the reasons',
    exit: 3,
  },
  STERNA_ERR_MIGRATION_BLOCKER: {
    help: 'Something that would forbid migration was refused: -only-migratable was given, or a migration is under way',
    exit: 3,
  },
  STERNA_ERR_CAPABILITY: usage('A migration capability or parameter is unknown, unavailable or out of range'),
} as const satisfies Record<string, ErrorCodeInfo>;

/** A code of {@link ERROR_CODES}. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** Root of all errors that Sterna throws on purpose. */
export class SternaError extends Error {
  /** Stable, searchable code. */
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }

  /** Exit code of a command that ends with this error. */
  get exitCode(): number {
    return ERROR_CODES[this.code].exit;
  }
}

/** The machine author asked for something impossible. */
export class ConfigError extends SternaError {
  /** Where in the configuration, for example `devices[0].size`. */
  readonly path: string | undefined;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions & { path?: string }) {
    super(code, options?.path === undefined ? message : `${options.path}: ${message}`, options);
    this.path = options?.path;
  }
}

/** Returns the candidate nearest to `word` by edit distance, when one is near enough to be a likely typo. */
export function suggest(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(word, candidate);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + cost);
    }
    row = next;
  }
  return row[b.length]!;
}

/** Text "did you mean x?" or the list of valid names, for messages about an unknown name. */
export function unknownNameHint(word: string, valid: readonly string[]): string {
  const near = suggest(word, valid);
  return near === undefined
    ? `valid names: ${valid.length === 0 ? '(none)' : valid.join(', ')}`
    : `did you mean '${near}'?`;
}
