/** A destination that is only named: which QEMU, and what it has to be started with. */
import { checkSource, finding } from './compare.ts';
import type { Finding, MachineFacts } from './facts.ts';
import { atLeast, compareWire, firmwareFinding } from './wire.ts';

/** Version of a name like `qemu-7.2`; undefined for other names. */
export function namedQemu(name: string): readonly [number, number] | undefined {
  const match = /^qemu-(\d+)\.(\d+)(\.\d+)?$/.exec(name);
  return match === null ? undefined : [Number(match[1]), Number(match[2])];
}

/** What speaks against, or is to be known about, a move to this QEMU. */
export function checkVersion(source: MachineFacts, qemu: readonly [number, number]): Finding[] {
  const name = `QEMU ${qemu.join('.')}`;
  const findings = [...checkSource(source), ...firmwareFinding(source, name, qemu), ...compareWire(source, qemu)];
  if (!atLeast(qemu, 7, 2))
    findings.push(finding('warning', 'destination', `QEMU before 7.2 was never tried with Sterna`));
  if (source.machine !== undefined && source.machine !== 'microvm')
    findings.push(finding('warning', 'machine', `QEMU may have no machine ${source.machine}`));
  const own = Object.keys(source.devices ?? {}).filter((device) => !KNOWN_DEVICES.has(device));
  if (own.length > 0)
    findings.push(finding('blocker', 'devices', `QEMU has no ${own.join(', ')}: it refuses the section`));
  findings.push(finding('note', 'destination', `start it as: ${commandLine(source, qemu)}`));
  return findings;
}

/** Sections of `microvm` that QEMU has. */
const KNOWN_DEVICES: ReadonlySet<string> = new Set([
  'timer',
  'fw_cfg',
  'cpu_common',
  'cpu',
  'kvm-tpr-opt',
  'apic',
  'ioapic',
  'acpi-ged',
  'i8259',
  'i8254',
  'mc146818rtc',
  'serial',
  'virtio-blk',
  'virtio-net',
  'virtio-rng',
  'virtio-console',
  'virtio-balloon',
]);

/** A QEMU that takes this guest, as far as that can be told from here. */
function commandLine(
  { blocks, devices, cpus, machine, wire, capabilities }: MachineFacts,
  qemu: readonly [number, number],
): string {
  const has = (name: string) => (devices?.[name] ?? 0) > 0;
  const onOff = (name: string, section: string) => (has(section) ? '' : `,${name}=off`);
  const acpi = blocks?.some(({ name }) => name.startsWith('/rom@etc/')) !== false;
  const parts = ['qemu-system-x86_64', '-M'];
  parts.push(
    `${machine ?? 'microvm'}${acpi ? '' : ',acpi=off'}${devices === undefined ? '' : `${onOff('pit', 'i8254')}${onOff('pic', 'i8259')}${onOff('rtc', 'mc146818rtc')}${onOff('isa-serial', 'serial')}`}`,
  );
  parts.push('-cpu', 'qemu64,-svm', '-smp', String(cpus));
  const ram = blocks?.find(({ name }) => name.endsWith('.ram'));
  if (ram !== undefined) parts.push('-m', String(ram.used / 2 ** 20));
  const bios = blocks?.find(({ name }) => name === 'pc.bios');
  if (bios !== undefined && bios.used !== (qemu[0] < 8 ? 65536 : 131072))
    parts.push('-bios', `FILE-OF-${bios.used}-BYTES`);
  if (atLeast(qemu, 8, 1) && capabilities['multifd'] === true && wire?.multifdFlushAfterEachSection === true)
    parts.push('-global', 'migration.multifd-flush-after-each-section=on');
  parts.push('-incoming', 'defer');
  return parts.join(' ');
}
