import { SternaError, unknownNameHint } from '@sterna/core';

/** QEMU's capabilities in the order `query-migrate-capabilities` lists them (qapi/migration.json, 11.1). */
export const CAPABILITY_NAMES = [
  'xbzrle',
  'rdma-pin-all',
  'auto-converge',
  'events',
  'postcopy-ram',
  'x-colo',
  'release-ram',
  'return-path',
  'pause-before-switchover',
  'multifd',
  'dirty-bitmaps',
  'postcopy-blocktime',
  'late-block-activate',
  'x-ignore-shared',
  'validate-uuid',
  'background-snapshot',
  'zero-copy-send',
  'postcopy-preempt',
  'switchover-ack',
  'dirty-limit',
  'mapped-ram',
] as const;

/** Name of a capability, as in QMP. */
export type CapabilityName = (typeof CAPABILITY_NAMES)[number];

/** What stands in the way of those that are not offered. */
export const CAPABILITY_OBSTACLES: Readonly<Partial<Record<CapabilityName, string>>> = {
  'rdma-pin-all': 'there is no RDMA on this host',
  'postcopy-ram': 'postcopy has not landed yet',
  'x-colo': 'COLO has not landed yet',
  'dirty-bitmaps': 'the block layer has not landed yet',
  'postcopy-blocktime': 'postcopy has not landed yet',
  'x-ignore-shared':
    'RAM is one WebAssembly memory, which cannot be a mapping of a file that two processes share; for an update on one host use mapped-ram with file:/dev/shm/NAME',
  'background-snapshot': 'background snapshots have not landed yet',
  'zero-copy-send': 'this host offers no zero-copy sockets',
  'postcopy-preempt': 'postcopy has not landed yet',
};

/** Those that QEMU had once; who still asks for them is told. */
const REMOVED: Readonly<Record<string, string>> = {
  block: 'QEMU 9.1 took block migration out; mirror the disks instead',
  compress: 'QEMU 9.1 took it out; use multifd with multifd-compression',
  'zero-blocks': 'QEMU 11 took it out with block migration',
};

/** Pairs that contradict each other (QEMU migration/options.c migrate_caps_check, v10.0). */
const CONFLICTS: readonly (readonly [CapabilityName, CapabilityName])[] = [
  ['multifd', 'xbzrle'],
  ['mapped-ram', 'xbzrle'],
  ['auto-converge', 'dirty-limit'],
];

/** One capability and whether it is on. */
export interface CapabilityStatus {
  readonly capability: CapabilityName;
  readonly state: boolean;
}

/** The set of capabilities of one machine; all off at first. */
export class Capabilities {
  #on: ReadonlySet<CapabilityName> = new Set();

  has(name: CapabilityName): boolean {
    return this.#on.has(name);
  }

  /** All capabilities, in QEMU's order. */
  list(): CapabilityStatus[] {
    return CAPABILITY_NAMES.map((capability) => ({ capability, state: this.#on.has(capability) }));
  }

  /**
   * Switches capabilities: the whole list is checked first, then applied.
   *
   * @throws SternaError `STERNA_ERR_CAPABILITY` for an unknown one, one that is not offered here, or a set that contradicts itself.
   */
  set(changes: readonly { readonly capability: string; readonly state: boolean }[]): void {
    const next = new Set(this.#on);
    for (const { capability, state } of changes) {
      if (!isCapability(capability)) {
        const why = Object.hasOwn(REMOVED, capability)
          ? REMOVED[capability]
          : unknownNameHint(capability, CAPABILITY_NAMES);
        throw refused(`migration capability '${capability}' is unknown: ${why}`);
      }
      const obstacle = CAPABILITY_OBSTACLES[capability];
      if (state && obstacle !== undefined)
        throw refused(`migration capability '${capability}' is not available: ${obstacle}`);
      if (state) next.add(capability);
      else next.delete(capability);
    }
    for (const [one, other] of CONFLICTS)
      if (next.has(one) && next.has(other))
        throw refused(`migration capabilities '${one}' and '${other}' cannot be used together`);
    if (next.has('switchover-ack') && !next.has('return-path')) {
      throw refused("migration capability 'switchover-ack' needs 'return-path'");
    }
    this.#on = next;
  }
}

function isCapability(name: string): name is CapabilityName {
  return (CAPABILITY_NAMES as readonly string[]).includes(name);
}

function refused(message: string): SternaError {
  return new SternaError('STERNA_ERR_CAPABILITY', message);
}
