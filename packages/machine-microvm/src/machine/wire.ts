import type { SectionName } from '@sterna/core';

/** Names of the stream's generations. */
export const WIRE_NAMES = ['compat', 'qemu-7.2', 'qemu-10.0', 'qemu-11.1'] as const;
/** A generation of the stream. */
export type WireName = (typeof WIRE_NAMES)[number];

/** What differs between generations in the parts that the machine decides. */
export interface WireGeneration {
  /** `apic` sections come before everything else; otherwise each follows its `cpu`. */
  readonly apicFirst: boolean;
  /** Default firmware with ACPI has 128 KiB (SeaBIOS) instead of 64 KiB (qboot). */
  readonly largeAcpiFirmware: boolean;
  /** fw_cfg holds the whole kernel file as `etc/boot/kernel`. */
  readonly wholeKernelFile: boolean;
}

/** The machine's part of the generations, measured on QEMU 7.2.22, 10.0.13 and 11.1.3. */
export const WIRE_GENERATIONS: Readonly<Record<WireName, WireGeneration>> = {
  compat: { apicFirst: false, largeAcpiFirmware: true, wholeKernelFile: false },
  'qemu-7.2': { apicFirst: false, largeAcpiFirmware: false, wholeKernelFile: false },
  'qemu-10.0': { apicFirst: false, largeAcpiFirmware: true, wholeKernelFile: false },
  'qemu-11.1': { apicFirst: true, largeAcpiFirmware: true, wholeKernelFile: true },
};

/** After 288 CPUs with four sections each. */
const DEVICES = 10_000;
const FIRST_DEVICES = ['ioapic', 'acpi-ged'];
const PER_CPU = ['cpu_common', 'cpu', 'kvm-tpr-opt', 'apic'];

/**
 * QEMU's section order: clocks and firmware configuration, then per CPU its sections, then the devices as QEMU creates
 * them. Whatever is not named keeps its place. The event device moves before the 8259, which this machine has to make
 * first.
 */
export function sectionOrder(wire: WireGeneration): (sections: readonly SectionName[]) => readonly SectionName[] {
  const rank = ({ idstr, instanceId }: SectionName): number => {
    if (idstr === 'apic' && wire.apicFirst) return -1_000 + instanceId;
    if (idstr === 'timer') return 0;
    if (idstr === 'slirp') return 1;
    if (idstr === 'fw_cfg') return 2;
    if (PER_CPU.includes(idstr)) return 10 + instanceId * PER_CPU.length + PER_CPU.indexOf(idstr);
    const first = FIRST_DEVICES.indexOf(idstr);
    return first < 0 ? 2 * DEVICES : DEVICES + first;
  };
  return (sections) => {
    const ranked = sections.map((section, position) => ({ section, position, rank: rank(section) }));
    ranked.sort((a, b) => a.rank - b.rank || a.position - b.position);
    return ranked.map(({ section }) => section);
  };
}
