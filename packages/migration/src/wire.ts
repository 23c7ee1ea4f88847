/**
 * Wire generations: which of QEMU's layouts a source writes. `microvm` has no
 * versioned machine types, so the generation is a machine property of its own
 * (`wire=`). Everything that differs between QEMU's versions on the wire hangs
 * on this one table; a destination accepts every generation.
 */

/** Properties that change what a source writes (QEMU's hw_compat idea). */
export interface WireProperties {
  /** Sends SWITCHOVER_START before the final parts. QEMU before 10.0 refuses it, and nobody needs it. */
  readonly sendSwitchoverStart: boolean;
  /** Writes the configuration section. */
  readonly sendConfiguration: boolean;
  /** Writes footers. */
  readonly sendSectionFooter: boolean;
  /** Writes `globalstate`. */
  readonly storeGlobalState: boolean;
  /** Splits the run state's 100 bytes into name, two flags and padding (8.2.1 and later). */
  readonly globalStateFlags: boolean;
  /** Sections with raised priority go first (`apic` since 11.x). */
  readonly raisedPriorities: boolean;
  /** Number of the `ram` section; sections after it count on from two further. */
  readonly ramSectionId: number;
  /** Whether virtio queues are announced with the old maximum of 1024 instead of the configured size. */
  readonly virtioQueueMax1024: boolean;
  /** Whether the description of the devices is sent at the end. */
  readonly sendVmDescription: boolean;
  /** Whether that description begins with the configuration section (after 7.2). */
  readonly describeConfiguration: boolean;
}

const QEMU_10_0: WireProperties = {
  sendSwitchoverStart: true,
  sendConfiguration: true,
  sendSectionFooter: true,
  storeGlobalState: true,
  globalStateFlags: true,
  raisedPriorities: false,
  ramSectionId: 1,
  virtioQueueMax1024: true,
  sendVmDescription: true,
  describeConfiguration: true,
};

/** The generations by name. */
export const WIRE_GENERATIONS = {
  /** What 7.2, 10.0 and 11.1 all accept. */
  compat: { ...QEMU_10_0, sendSwitchoverStart: false, virtioQueueMax1024: false },
  'qemu-7.2': {
    ...QEMU_10_0,
    sendSwitchoverStart: false,
    globalStateFlags: false,
    describeConfiguration: false,
    ramSectionId: 2,
  },
  'qemu-10.0': QEMU_10_0,
  'qemu-11.1': { ...QEMU_10_0, raisedPriorities: true, virtioQueueMax1024: false },
} as const satisfies Record<string, WireProperties>;

/** Name of a generation, as after `wire=`. */
export type WireGeneration = keyof typeof WIRE_GENERATIONS;

/** Names of the `-global migration.NAME=on|off` properties and the wire properties behind them. */
export const WIRE_GLOBALS: Readonly<Record<string, keyof WireProperties>> = {
  'send-switchover-start': 'sendSwitchoverStart',
  'send-configuration': 'sendConfiguration',
  'send-section-footer': 'sendSectionFooter',
  'store-global-state': 'storeGlobalState',
};

/** A generation with single properties changed. */
export function wireProperties(generation: WireGeneration, overrides: Partial<WireProperties> = {}): WireProperties {
  return { ...WIRE_GENERATIONS[generation], ...overrides };
}
