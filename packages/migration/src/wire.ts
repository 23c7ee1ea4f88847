/**
 * Wire generations: which of QEMU's layouts a source writes. `microvm` has no
 * versioned machine types, so the generation is a machine property of its own
 * (`wire=`). Everything that differs between QEMU's versions on the wire hangs
 * on this one table; a destination accepts every generation.
 */

/** Properties that change what is on the wire (QEMU's hw_compat idea). */
export interface WireProperties {
  /** Sends SWITCHOVER_START before the final parts. QEMU before 10.0 refuses it, and nobody needs it. */
  readonly sendSwitchoverStart: boolean;
  /** Writes the configuration section; a destination insists on it. */
  readonly sendConfiguration: boolean;
  /** Writes footers; a destination expects them. */
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
  /** Whether it begins with the configuration section. */
  readonly describeConfiguration: boolean;
  /** multifd synchronises after every section (8.0 and before) instead of once for each round over RAM. */
  readonly multifdFlushAfterEachSection: boolean;
  /** Default of the parameter `zero-page-detection`: packets of 8.2 and before have no zero pages. */
  readonly zeroPageDetection: 'legacy' | 'multifd';
  /** multifd channels under TLS end with a close notification (10.0 and later). */
  readonly multifdCleanTlsTermination: boolean;
  /** The preempt channel is opened at setup (7.2 and before), not when postcopy begins. */
  readonly preemptAtSetup: boolean;
  /**
   * SWITCHOVER_ACK is sent once, when every device approves, or at once where none is asked (8.1 to 11.0); afterwards one is
   * sent for each device, and the source waits for as many as it has devices that want one.
   */
  readonly switchoverAckLegacy: boolean;
  /** Largest PACKAGED command of postcopy, in bytes. */
  readonly maxPackaged: number;
  /** Asks with PING 0x42 inside the package whether it was loaded (10.2 and later). */
  readonly pingPackagedLoaded: boolean;
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
  multifdFlushAfterEachSection: false,
  zeroPageDetection: 'multifd',
  multifdCleanTlsTermination: true,
  preemptAtSetup: false,
  switchoverAckLegacy: true,
  maxPackaged: 2 ** 32 - 1,
  pingPackagedLoaded: false,
};

/** What 7.2 needs so that it understands, and the others accept. */
const UNDERSTOOD_BY_7_2 = {
  sendSwitchoverStart: false,
  multifdCleanTlsTermination: false,
  maxPackaged: 2 ** 24,
} as const;

/** The generations by name. */
export const WIRE_GENERATIONS = {
  /**
   * What 7.2, 10.0 and 11.1 all accept. No way to use multifd is: one that does not synchronise as 7.2 wants it fails there at
   * once, one that does would hang newer versions for ever. So multifd is as 8.1 and later have it; 7.2 needs `qemu-7.2`.
   */
  compat: { ...QEMU_10_0, ...UNDERSTOOD_BY_7_2, virtioQueueMax1024: false },
  'qemu-7.2': {
    ...QEMU_10_0,
    ...UNDERSTOOD_BY_7_2,
    globalStateFlags: false,
    describeConfiguration: false,
    ramSectionId: 2,
    preemptAtSetup: true,
    multifdFlushAfterEachSection: true,
    zeroPageDetection: 'legacy',
  },
  'qemu-10.0': QEMU_10_0,
  'qemu-11.1': {
    ...QEMU_10_0,
    raisedPriorities: true,
    virtioQueueMax1024: false,
    switchoverAckLegacy: false,
    pingPackagedLoaded: true,
  },
} as const satisfies Record<string, WireProperties>;

/** Name of a generation, as after `wire=`. */
export type WireGeneration = keyof typeof WIRE_GENERATIONS;

/** Wire properties that are on or off. */
export type WireSwitch = {
  [N in keyof WireProperties]: WireProperties[N] extends boolean ? N : never;
}[keyof WireProperties];

/** QEMU's names of the `-global migration.NAME=on|off` properties, and the wire properties behind them. */
export const WIRE_GLOBALS: Readonly<Record<string, WireSwitch>> = {
  'store-global-state': 'storeGlobalState',
  'send-configuration': 'sendConfiguration',
  'send-section-footer': 'sendSectionFooter',
  'send-switchover-start': 'sendSwitchoverStart',
  'multifd-flush-after-each-section': 'multifdFlushAfterEachSection',
  'multifd-clean-tls-termination': 'multifdCleanTlsTermination',
  'x-preempt-pre-7-2': 'preemptAtSetup',
  'switchover-ack-legacy': 'switchoverAckLegacy',
};

/** A generation with single properties changed. */
export function wireProperties(generation: WireGeneration, overrides: Partial<WireProperties> = {}): WireProperties {
  return { ...WIRE_GENERATIONS[generation], ...overrides };
}
