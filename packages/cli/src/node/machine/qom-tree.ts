import type { DeviceType, Machine, PluginRegistry, Property, PropertyTable, UserObjects } from '@sterna/core';
import { cpuTypeName, type MonitorQom, type QomNode, type QomProperty, type QomType, qomContainer } from '@sterna/qmp';
import type { ChardevListing } from './char-devices.ts';

type Device = Machine['devices'][number];
type Class = ReturnType<NonNullable<QomType['properties']>>;

/** QEMU's names of the kinds of properties. */
function typeName(property: Property<unknown>): string {
  if (property.kind === 'on/off') return 'bool';
  if (property.kind === 'chardev') return 'str';
  return property.values === undefined || property.kind === 'OnOffAuto' ? property.kind : 'str';
}

function classOf(table: PropertyTable): Class {
  return Object.fromEntries(
    Object.entries(table).map(([name, property]) => [
      name,
      { type: typeName(property), description: property.help, defaultValue: property.default },
    ]),
  );
}

function readOnly(type: string, get: () => unknown): QomProperty {
  return { type, get };
}

/** Properties of a table with the values they have; they were given when the object was made, and stay. */
function valuesOf(table: PropertyTable, values: Readonly<Record<string, unknown>>, owner: string) {
  return Object.fromEntries(
    Object.entries(table).map(([name, property]): [string, QomProperty] => [
      name,
      {
        type: typeName(property),
        description: property.help,
        get: () => values[name],
        set() {
          throw new RangeError(`Attempt to set property '${name}' on ${owner} after it was realized`);
        },
      },
    ]),
  );
}

function deviceNode(device: Device, isOfUser: boolean, hotplugged: boolean): QomNode {
  const { name, properties = {}, hotpluggable = false } = device.type.descriptor;
  const label = isOfUser ? `device '${device.id}' (type '${name}')` : `anonymous device of type '${name}'`;
  return {
    type: name,
    properties: () => ({
      parent_bus: readOnly('link<bus>', () => ''),
      realized: readOnly('bool', () => true),
      hotplugged: readOnly('bool', () => hotplugged),
      hotpluggable: readOnly('bool', () => hotpluggable),
      ...valuesOf(properties as PropertyTable, device.properties, label),
    }),
    children: () => ({}),
  };
}

function leaf(type: string, properties: Readonly<Record<string, QomProperty>> = {}): QomNode {
  return { type, properties: () => properties, children: () => ({}) };
}

/** Where vCPUs are in the tree: QEMU's machine makes something else between the first and the second. */
export function cpuPath(index: number): string {
  return `/machine/unattached/device[${index === 0 ? 0 : index + 1}]`;
}

/** What the tree is made of. */
export interface QomSource {
  readonly machine: Machine;
  readonly chardevs: readonly ChardevListing[];
  readonly objects: UserObjects;
  readonly registry: PluginRegistry;
  /** Devices that came after the machine was built. */
  readonly plugged: ReadonlySet<Device>;
}

/** The parts of a machine as QEMU shows them: by owner under `/machine`, `/objects` and `/chardevs`. */
export function qomTree(source: QomSource): MonitorQom {
  const { machine, chardevs, objects, registry, plugged } = source;
  const { setup } = machine;
  const named = new Set(setup.devices.flatMap(({ id }) => (id === undefined ? [] : [id])));
  const ofUser = new Set(setup.devices.map(({ type }) => type.descriptor.name));
  const isNamed = (device: Device): boolean => named.has(device.id) || (plugged.has(device) && isOwnId(device));
  const isAnonymous = (device: Device): boolean =>
    !isNamed(device) && (plugged.has(device) || ofUser.has(device.type.descriptor.name));
  const node = (device: Device): QomNode => deviceNode(device, isNamed(device), plugged.has(device));
  const numbered = (nodes: readonly QomNode[]) =>
    Object.fromEntries(nodes.map((entry, index) => [`device[${index}]`, entry]));

  const unattached = (): Readonly<Record<string, QomNode>> => {
    const cpus = machine.cpus.map((cpu) => cpuNode(cpu.index, machine));
    const others = machine.devices.filter((device) => !isNamed(device) && !isAnonymous(device)).map(node);
    const second = others.findIndex(({ type }) => type === 'kvmvapic');
    const between = second < 0 ? [] : others.splice(second, 1);
    return numbered([...cpus.slice(0, 1), ...between, ...cpus.slice(1), ...others]);
  };
  const machineNode: QomNode = {
    type: `${setup.type.name}-machine`,
    properties: () => valuesOf(setup.type.properties, setup.properties, 'the machine'),
    children: () => ({
      unattached: qomContainer(unattached),
      peripheral: qomContainer(() =>
        Object.fromEntries(machine.devices.filter(isNamed).map((device) => [device.id, node(device)])),
      ),
      'peripheral-anon': qomContainer(() => numbered(machine.devices.filter(isAnonymous).map(node))),
    }),
  };
  const root = qomContainer(() => ({
    machine: machineNode,
    objects: qomContainer(() =>
      Object.fromEntries(objects.list.map(({ id, type, properties }) => [id, objectNode(type, properties, registry)])),
    ),
    chardevs: qomContainer(() =>
      Object.fromEntries(chardevs.map(({ label, kind }) => [label, leaf(`chardev-${kind}`)])),
    ),
    backend: qomContainer(() => ({})),
  }));
  return { root, types: qomTypes(registry) };
}

/** An id that the user gave, not one that was made up: those are the driver's name and a number. */
function isOwnId(device: Device): boolean {
  const { name } = device.type.descriptor;
  return !(device.id.startsWith(name) && /^\d+$/.test(device.id.slice(name.length)));
}

function cpuNode(index: number, machine: Machine): QomNode {
  const { cpu, cpuProperties } = machine.setup;
  const defaults = Object.fromEntries(Object.entries(cpu.properties).map(([name, row]) => [name, row.default]));
  return leaf(cpuTypeName(cpu.name), {
    realized: readOnly('bool', () => true),
    hotplugged: readOnly('bool', () => false),
    hotpluggable: readOnly('bool', () => false),
    'cpu-index': readOnly('int', () => index),
    ...valuesOf(cpu.properties, { ...defaults, ...cpuProperties }, 'a vCPU'),
  });
}

function objectNode(type: string, values: Readonly<Record<string, unknown>>, registry: PluginRegistry): QomNode {
  const table = registry.objects.find(({ descriptor }) => descriptor.name === type)?.descriptor.properties ?? {};
  return leaf(type, valuesOf(table as PropertyTable, values, `object of type '${type}'`));
}

/** A device's parent type, by the bus it is on. */
function busClass(bus: string): string {
  return bus === 'sysbus' ? 'sys-bus-device' : `${bus}-device`;
}

function deviceClass({ descriptor }: DeviceType): QomType {
  return {
    name: descriptor.name,
    parent: busClass(String(descriptor.bus)),
    properties: () => classOf((descriptor.properties ?? {}) as PropertyTable),
  };
}

function qomTypes(registry: PluginRegistry): readonly QomType[] {
  const buses = new Set(registry.devices.map(({ descriptor }) => busClass(String(descriptor.bus))));
  return [
    { name: 'object', abstract: true },
    { name: 'container', parent: 'object' },
    { name: 'device', parent: 'object', abstract: true },
    ...[...buses].map((name) => ({ name, parent: 'device', abstract: true })),
    { name: 'cpu', parent: 'device', abstract: true },
    { name: 'x86_64-cpu', parent: 'cpu', abstract: true },
    ...registry.cpus.map(
      ({ name, properties }): QomType => ({
        name: cpuTypeName(name),
        parent: 'x86_64-cpu',
        properties: () => classOf(properties),
      }),
    ),
    { name: 'machine', parent: 'object', abstract: true },
    ...registry.machines.map(
      ({ name, properties }): QomType => ({
        name: `${name}-machine`,
        parent: 'machine',
        properties: () => classOf(properties),
      }),
    ),
    { name: 'accel', parent: 'object', abstract: true },
    { name: 'tcg-accel', parent: 'accel' },
    // Nobody can make one, but libvirt asks for its properties and does not expect that there is none.
    { name: 'memory-backend', parent: 'object', abstract: true },
    { name: 'memory-backend-file', parent: 'memory-backend', abstract: true },
    { name: 'chardev', parent: 'object', abstract: true },
    ...registry.objects.map(
      ({ descriptor }): QomType => ({
        name: descriptor.name,
        parent: 'object',
        properties: () => classOf(descriptor.properties as PropertyTable),
      }),
    ),
    ...registry.devices.map(deviceClass),
  ];
}
