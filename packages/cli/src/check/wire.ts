/** What the two generations of the wire have to agree on, and what a QEMU's side needs for that. */
import type { Finding, FindingLevel, MachineFacts } from './facts.ts';

/** QEMU's own firmware for `microvm`: its size by version. */
function firmwareSize([major]: readonly [number, number]): number {
  return major < 8 ? 65536 : 131072;
}

/** Whether a version is at least another one. */
export function atLeast([major, minor]: readonly [number, number], a: number, b: number): boolean {
  return major > a || (major === a && minor >= b);
}

/** Capabilities by the first version of QEMU that has them. */
const SINCE: Readonly<Record<string, readonly [number, number]>> = {
  'switchover-ack': [8, 1],
  'dirty-limit': [8, 1],
  'mapped-ram': [9, 0],
};

/**
 * @param qemu version of the destination; undefined for Sterna, which accepts every generation
 * @param parameters of the destination, where they are known
 */
export function compareWire(
  source: MachineFacts,
  qemu: readonly [number, number] | undefined,
  parameters: Readonly<Record<string, unknown>> = {},
): Finding[] {
  if (qemu === undefined) return [];
  return [
    ...commands(source, qemu),
    ...acknowledgement(source, qemu),
    ...multifd(source, qemu, parameters),
    ...queues(source, qemu),
    ...capabilities(source, qemu),
  ];
}

/** Whether the source sends the command that QEMU before 10.0 refuses. */
function commands({ qemu: version, wire, wireName }: MachineFacts, qemu: readonly [number, number]): Finding[] {
  if (atLeast(qemu, 10, 0)) return [];
  if (wire?.sendSwitchoverStart === true)
    return [
      of(
        'blocker',
        'wire',
        `the source sends SWITCHOVER_START (wire=${wireName}), which this QEMU refuses; start it with wire=compat or -global migration.send-switchover-start=off`,
      ),
    ];
  if (version === undefined || !atLeast(version, 10, 0)) return [];
  return [
    of(
      'warning',
      'wire',
      'the source sends SWITCHOVER_START unless it was started with -global migration.send-switchover-start=off; this QEMU refuses it',
    ),
  ];
}

/** QEMU 11.1 counts acknowledgements by device. */
function acknowledgement(source: MachineFacts, qemu: readonly [number, number]): Finding[] {
  if (source.capabilities['switchover-ack'] !== true) return [];
  const legacy = source.wire === undefined ? !atLeast(source.qemu!, 11, 1) : source.wire.switchoverAckLegacy;
  if (legacy !== atLeast(qemu, 11, 1)) return [];
  return [
    of(
      'warning',
      'wire',
      `both sides count SWITCHOVER_ACK differently; use -global migration.switchover-ack-legacy=on on the side of 11.1 or later`,
    ),
  ];
}

function multifd(
  source: MachineFacts,
  qemu: readonly [number, number],
  parameters: Readonly<Record<string, unknown>>,
): Finding[] {
  if (source.capabilities['multifd'] !== true) return [];
  const findings: Finding[] = [];
  const each = source.wire === undefined ? !atLeast(source.qemu!, 8, 1) : source.wire.multifdFlushAfterEachSection;
  const eachThere = !atLeast(qemu, 8, 1);
  if (each !== eachThere) findings.push(flushes(source, eachThere));
  const pages = source.parameters['zero-page-detection'];
  if (!atLeast(qemu, 9, 0) && pages !== undefined && pages !== 'legacy')
    findings.push(
      of(
        'blocker',
        'multifd',
        `zero pages are in multifd packets (zero-page-detection=${String(pages)}), which this QEMU does not read; set it to legacy`,
      ),
    );
  if (parameters['zero-page-detection'] === 'multifd' && source.qemu !== undefined && !atLeast(source.qemu, 9, 0))
    findings.push(of('note', 'multifd', 'the source detects zero pages itself'));
  return findings;
}

/** The sides wait for their channels at different places. @param each whether the destination does so after every section */
function flushes({ wire, wireName }: MachineFacts, each: boolean): Finding {
  if (wire !== undefined && each)
    return of(
      'blocker',
      'multifd',
      `this QEMU waits for the channels after every section, the source (wire=${wireName}) does not; start it with wire=qemu-7.2`,
    );
  // Whether that was done cannot be seen from here.
  return of(
    'warning',
    'multifd',
    'the sides wait for their channels at different places unless the newer QEMU was started with -global migration.multifd-flush-after-each-section=on',
  );
}

/** QEMU 11.1 refuses queues that are larger than its own. */
function queues({ devices = {}, wire, qemu: version }: MachineFacts, qemu: readonly [number, number]): Finding[] {
  const virtio = Object.keys(devices).some((name) => name.startsWith('virtio'));
  const large = wire === undefined ? version !== undefined && !atLeast(version, 11, 0) : wire.virtioQueueMax1024;
  if (!virtio || !large || !atLeast(qemu, 11, 0)) return [];
  return [
    of(
      'warning',
      'devices',
      'the guest was told of virtio queues of 1024: the destination needs -global virtio-mmio.x-override-queue-size=1024',
    ),
  ];
}

function capabilities(source: MachineFacts, qemu: readonly [number, number]): Finding[] {
  return Object.entries(SINCE)
    .filter(([name, since]) => source.capabilities[name] === true && !atLeast(qemu, ...since))
    .map(([name, since]) =>
      of('blocker', 'capabilities', `${name} is on, which QEMU has since ${since.join('.')}; switch it off`),
    );
}

/** The firmware of a QEMU that is not there yet: it has its own size unless it is given a file. */
export function firmwareFinding(source: MachineFacts, name: string, qemu: readonly [number, number]): Finding[] {
  const bios = source.blocks?.find((block) => block.name === 'pc.bios');
  const own = firmwareSize(qemu);
  if (bios === undefined || bios.used === own) return [];
  return [
    of(
      'warning',
      'firmware',
      `pc.bios is ${bios.used / 1024} KiB, ${name}'s own is ${own / 1024} KiB: it refuses another size; start it with -bios and a file of ${bios.used} bytes`,
    ),
  ];
}

function of(level: FindingLevel, about: string, text: string): Finding {
  return { level, about, text };
}
