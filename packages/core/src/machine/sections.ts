import type { VCpu } from '../cpu/define-cpu.ts';
import type { DeviceInstance } from '../device/device-instance.ts';
import { ConfigError } from '../errors.ts';
import { type ClockState, clockVmstate } from '../time/clock-vmstate.ts';
import { isVmStateTable, type LiveHandlers, type VmState } from '../vmstate/index.ts';
import type { SectionName } from './define-machine-type.ts';

/** A section of the migration stream: its identity, table and the object whose state it is. */
export interface SavableSection extends SectionName {
  /** Further instance id under which an older source may send it. */
  readonly aliasId?: number;
  readonly vmstate: VmState<object>;
  readonly live: LiveHandlers<object> | undefined;
  readonly state: object;
  /** Whose it is, for messages. */
  readonly owner: string;
}

/** A section's identity as one string. */
export function sectionKey({ idstr, instanceId }: SectionName): string {
  return `${idstr}/${instanceId}`;
}

/** The machine's sections in the order things were made: clock, vCPUs, devices. */
export function savableSections(
  clock: ClockState,
  cpus: readonly VCpu[],
  devices: readonly DeviceInstance[],
): SavableSection[] {
  const timer: SavableSection = {
    idstr: 'timer',
    instanceId: 0,
    vmstate: clockVmstate as VmState<object>,
    live: undefined,
    state: clock,
    owner: 'the clock',
  };
  const ofCpus = cpus.flatMap((cpu, index) =>
    cpu.sections.map(({ idstr, vmstate, state }) => ({
      idstr,
      instanceId: index,
      vmstate,
      live: undefined,
      state,
      owner: `cpu ${index}`,
    })),
  );
  const counts = new Map<string, number>();
  return [timer, ...ofCpus, ...devices.flatMap((device) => deviceSection(device, counts))];
}

/** @param counts by idstr: the instance id of the next device that has no fixed one */
function deviceSection(device: DeviceInstance, counts: Map<string, number>): SavableSection[] {
  const { descriptor } = device.type;
  const vmstate = descriptor.vmstate as VmState<object>;
  if (!isVmStateTable(vmstate) && descriptor.live === undefined) return [];
  const idstr = descriptor.sectionId?.(device.state) ?? (isVmStateTable(vmstate) ? vmstate.name : descriptor.name);
  const next = counts.get(idstr) ?? 0;
  const instanceId = device.instanceId ?? next;
  counts.set(idstr, Math.max(next, instanceId + 1));
  return [
    {
      idstr,
      instanceId,
      ...(device.aliasInstanceId === undefined ? {} : { aliasId: device.aliasInstanceId }),
      vmstate,
      live: descriptor.live as LiveHandlers<object> | undefined,
      state: device.state,
      owner: `device ${device.id}`,
    },
  ];
}

/**
 * Looks for sections that a stream could not tell apart.
 *
 * @throws ConfigError `STERNA_ERR_DUPLICATE_ID` naming both owners
 */
export function checkSections(sections: readonly SavableSection[]): void {
  const owners = new Map<string, string>();
  for (const { idstr, instanceId, aliasId, owner } of sections) {
    for (const id of aliasId === undefined || aliasId === instanceId ? [instanceId] : [instanceId, aliasId]) {
      const key = sectionKey({ idstr, instanceId: id });
      const other = owners.get(key);
      if (other !== undefined)
        throw new ConfigError(
          'STERNA_ERR_DUPLICATE_ID',
          `${other} and ${owner} both have section '${idstr}' instance ${id} in the migration stream`,
        );
      owners.set(key, owner);
    }
  }
}
