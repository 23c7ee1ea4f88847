import { type AnyVmState, isVmStateTable, type Machine, type PluginRegistry } from '@sterna/core';
import { hostTscFrequency } from '@sterna/core/node';
import { type DumpedTable, dumpVmState, GlobalState, globalStateTable, type VmStateDump } from '@sterna/migration';
import { openCharDevices } from './char-devices.ts';
import { Disks } from './disks.ts';
import { buildMachine, processScope } from './machine-process.ts';
import type { MachinePlan } from './plan.ts';

/**
 * The dump of a plan's machine: the device types that it is made of, those that plugins offer beside them, and the
 * sections that no device has (clocks, vCPUs, run state), which QEMU's dump leaves out. No host resource is opened.
 *
 * @throws SternaError for whatever keeps the machine from being built
 */
export async function dumpTables(plan: MachinePlan, registry: PluginRegistry): Promise<VmStateDump> {
  return withMachine(plan, registry, async (machine) => dumpVmState(plan.type.name, tablesOf(machine, registry)));
}

/**
 * Calls `use` with a plan's machine, which never runs: no host resource is opened.
 *
 * @throws SternaError for whatever keeps the machine from being built
 */
export async function withMachine<T>(
  plan: MachinePlan,
  registry: PluginRegistry,
  use: (machine: Machine) => Promise<T>,
): Promise<T> {
  const chardevs = await openCharDevices(
    {
      ...plan,
      chardevs: plan.chardevs.map(({ id }) => ({ id, spec: { kind: 'null' }, mux: false })),
      serials: plan.serials.map(() => 'null'),
      monitors: [],
    },
    () => {},
  );
  try {
    const scope = processScope(registry);
    const { layer } = await Disks.open(withoutImages(plan), scope, registry, { event: () => {}, report: () => {} });
    const machine = buildMachine(plan, chardevs, scope, () => {}, hostTscFrequency());
    try {
      return await use(machine);
    } finally {
      await machine.dispose();
      await layer.close();
    }
  } finally {
    await chardevs.close();
  }
}

/** The plan with disks of the same names that have no images. */
function withoutImages(plan: MachinePlan): MachinePlan {
  return {
    ...plan,
    blockdevs: plan.blockdevs.map(({ spec }) => ({
      spec: { driver: 'null-co', 'node-name': spec['node-name'] },
      text: true,
    })),
    drives: plan.drives.map((drive) => ({ ...drive, node: { driver: 'null-co' } })),
  };
}

function tablesOf(machine: Machine, registry: PluginRegistry): ReadonlyMap<string, DumpedTable> {
  const tables = new Map<string, DumpedTable>();
  const add = (name: string, vmstate: AnyVmState, device?: object) => {
    if (!isVmStateTable(vmstate) || tables.has(name)) return;
    tables.set(name, { table: vmstate, ...(device === undefined ? {} : { device }) });
  };
  for (const { type, state } of machine.devices) add(type.descriptor.name, type.descriptor.vmstate, state);
  for (const { descriptor } of registry.devices) add(descriptor.name, descriptor.vmstate);
  const ofDevices = new Set<object>(machine.devices.map(({ state }) => state));
  for (const { idstr, vmstate, state } of machine.sections()) if (!ofDevices.has(state)) add(idstr, vmstate, state);
  const globalState = new GlobalState();
  add('globalstate', globalStateTable(true), globalState);
  return tables;
}
