import type { MigrationInfo } from '@sterna/migration';
import type { QmpClient } from '@sterna/qmp';
import type { BlockFacts, MachineFacts } from '../../check/facts.ts';

/** QEMU's devices that have a section, and what that is called. */
const SECTIONS: Readonly<Record<string, string>> = {
  ioapic: 'ioapic',
  'isa-i8259': 'i8259',
  'isa-pit': 'i8254',
  mc146818rtc: 'mc146818rtc',
  'isa-serial': 'serial',
  'acpi-ged': 'acpi-ged',
  'acpi-ged-x86': 'acpi-ged',
  'virtio-blk-device': 'virtio-blk',
  'virtio-net-device': 'virtio-net',
  'virtio-rng-device': 'virtio-rng',
  'virtio-serial-device': 'virtio-console',
  'virtio-balloon-device': 'virtio-balloon',
};

/** What Sterna's machines tell in one answer. */
export type OwnFacts = Pick<MachineFacts, 'machine' | 'features' | 'blocks' | 'devices' | 'wire' | 'wireName'>;

/** Asks a machine of Sterna or QEMU for everything that a migration depends on. */
export async function queryFacts(client: QmpClient): Promise<MachineFacts> {
  const ask = <T>(command: string, args?: object) => client.executeAny(command, args) as Promise<T>;
  const maybe = <T>(command: string, args?: object) => ask<T>(command, args).catch(() => undefined);
  const version = await ask<{ qemu: { major: number; minor: number; micro: number }; package: string }>(
    'query-version',
  );
  const status = await ask<{ status: string }>('query-status');
  const uuid = await maybe<{ UUID: string }>('query-uuid');
  const cpus = await ask<readonly { 'qom-path': string }[]>('query-cpus-fast');
  const capabilities = await ask<readonly { capability: string; state: boolean }[]>('query-migrate-capabilities');
  const parameters = await ask<Record<string, unknown>>('query-migrate-parameters');
  const migration = await ask<MigrationInfo>('query-migrate');
  const common = {
    runState: status.status,
    uuid: uuid?.UUID ?? '',
    cpus: cpus.length,
    capabilities: Object.fromEntries(capabilities.map(({ capability, state }) => [capability, state])),
    parameters,
    blocked: migration['blocked-reasons'] ?? [],
  };
  if (version.package.startsWith('sterna')) {
    const own = await ask<OwnFacts>('x-query-migrate-facts');
    return { ...common, ...own, who: version.package.replace(/^s/, 'S'), qemu: undefined };
  }
  const { major, minor, micro } = version.qemu;
  const type = await maybe<string>('qom-get', { path: '/machine', property: 'type' });
  const words = await maybe<readonly FeatureWord[]>('qom-get', {
    path: cpus[0]?.['qom-path'] ?? '',
    property: 'feature-words',
  });
  const ramblock = await maybe<string>('human-monitor-command', { 'command-line': 'info ramblock' });
  const qtree = await maybe<string>('human-monitor-command', { 'command-line': 'info qtree' });
  return {
    ...common,
    who: `QEMU ${major}.${minor}.${micro}`,
    qemu: [major, minor],
    machine: type?.replace(/-machine$/, ''),
    features: words === undefined ? undefined : featuresOf(words),
    blocks: ramblock === undefined ? undefined : blocksOf(ramblock),
    devices: qtree === undefined ? undefined : devicesOf(qtree, cpus.length),
    wire: undefined,
    wireName: undefined,
  };
}

/** An element of the CPU's property `feature-words` (QAPI X86CPUFeatureWordInfo). */
interface FeatureWord {
  readonly 'cpuid-input-eax': number;
  readonly 'cpuid-input-ecx'?: number;
  readonly 'cpuid-register': string;
  readonly features: number;
}

function featuresOf(words: readonly FeatureWord[]): Record<string, number> {
  const result: Record<string, number> = {};
  for (const word of words) {
    const { 'cpuid-input-eax': eax, 'cpuid-input-ecx': ecx, 'cpuid-register': register, features } = word;
    // Leaf 4000_0001 is the accelerator's own, and no promise to the guest.
    if (features === 0 || eax === 0x4000_0001) continue;
    const subleaf = ecx === undefined ? '' : `.${ecx.toString(16)}`;
    result[`${eax.toString(16)}${subleaf}.${register.toLowerCase()}`] = features;
  }
  return result;
}

/** Lines of `info ramblock`: name, page size, offset, used, total. */
export function blocksOf(text: string): BlockFacts[] {
  return text.split('\n').flatMap((line) => {
    const match = /^\s*(\S+)\s+\d+ [KMG]iB\s+0x[0-9a-f]+\s+(0x[0-9a-f]+)\s+(0x[0-9a-f]+)/i.exec(line);
    return match === null ? [] : [{ name: match[1]!, used: Number(match[2]), most: Number(match[3]) }];
  });
}

/** Devices of `info qtree` that have a section, and the sections that every vCPU has. */
export function devicesOf(text: string, cpus: number): Record<string, number> {
  const devices: Record<string, number> = {
    timer: 1,
    fw_cfg: 1,
    cpu_common: cpus,
    cpu: cpus,
    apic: cpus,
    'kvm-tpr-opt': 1,
  };
  for (const [, type] of text.matchAll(/^\s*dev: ([^,\s]+)/gm)) {
    const section = SECTIONS[type!];
    if (section !== undefined) devices[section] = (devices[section] ?? 0) + 1;
  }
  return devices;
}
