import { type CpuType, type MachineType, SternaError } from '@sterna/core';
import { QmpError } from '../errors.ts';
import { t } from '../schema/types.ts';
import type { MonitorCatalog, MonitorTarget } from '../target.ts';
import { CPU_MODEL } from '../types/machine-types.ts';
import { defineCommand, noArguments } from './define-command.ts';

/** What the program knows. @throws SternaError when it does not tell */
function catalogOf({ catalog }: MonitorTarget): MonitorCatalog {
  if (catalog !== undefined) return catalog;
  throw new SternaError('STERNA_ERR_UNSUPPORTED', 'this monitor does not know what its program offers');
}

/** Name of the type of a CPU model in the tree of objects. */
export function cpuTypeName(model: string): string {
  return `${model}-x86_64-cpu`;
}

/** The empty machine, which has neither processors nor RAM. */
const NONE = 'none';

function machineInfo(type: MachineType) {
  return {
    name: type.name,
    'cpu-max': type.maxCpus,
    'hotpluggable-cpus': false,
    'numa-mem-supported': false,
    deprecated: false,
    ...(type.name === NONE
      ? {}
      : { 'default-cpu-type': cpuTypeName(type.defaultCpu.name), 'default-ram-id': `${type.name}.ram` }),
    acpi: Object.hasOwn(type.properties, 'acpi'),
  };
}

function cpuDefinition(type: CpuType) {
  // `max` is what the engine can do, and may change with each version.
  const isFixed = type.name !== 'max';
  return {
    name: type.name,
    typename: cpuTypeName(type.name),
    'migration-safe': isFixed,
    static: false,
    'unavailable-features': [],
    deprecated: false,
  };
}

/** Values of a model's properties: those given, the others by default. */
function expand(type: CpuType, given: unknown): Record<string, unknown> {
  if (given !== undefined && (typeof given !== 'object' || given === null || Array.isArray(given)))
    throw new QmpError('GenericError', "Invalid parameter type for 'model.props', expected: object");
  const values: Record<string, unknown> = {};
  for (const [name, property] of Object.entries(type.properties))
    if (property.default !== undefined) values[name] = property.default;
  for (const [name, value] of Object.entries(given ?? {})) {
    const property = Object.hasOwn(type.properties, name) ? type.properties[name] : undefined;
    if (property === undefined)
      throw new QmpError('GenericError', `Property '${cpuTypeName(type.name)}.${name}' not found`);
    values[name] = property.check(value);
  }
  return values;
}

/** Commands about what the program offers, whatever machine it runs. */
export const catalogCommands = {
  'query-machines': defineCommand({
    help: 'Machine types',
    arguments: t.object({ 'compat-props': t.featured(t.optional(t.bool), 'unstable') }),
    returns: t.array(
      t.object({
        name: t.str,
        'cpu-max': t.int,
        'hotpluggable-cpus': t.bool,
        'numa-mem-supported': t.bool,
        deprecated: t.bool,
        'default-cpu-type': t.optional(t.str),
        'default-ram-id': t.optional(t.str),
        acpi: t.bool,
        'compat-props': t.featured(
          t.optional(t.array(t.object({ 'qom-type': t.str, property: t.str, value: t.str }))),
          'unstable',
        ),
      }),
    ),
    run: ({ target }, args) =>
      catalogOf(target).machines.map((type) => ({
        ...machineInfo(type),
        // None of the types has a version whose devices would differ.
        ...(args['compat-props'] === true ? { 'compat-props': [] } : {}),
      })),
  }),
  'query-cpu-definitions': defineCommand({
    help: 'CPU models',
    arguments: noArguments,
    returns: t.array(
      t.object({
        name: t.str,
        typename: t.str,
        'migration-safe': t.optional(t.bool),
        static: t.bool,
        'unavailable-features': t.optional(t.array(t.str)),
        deprecated: t.bool,
      }),
    ),
    run: ({ target }) => catalogOf(target).cpus.map(cpuDefinition),
  }),
  'query-cpu-model-expansion': defineCommand({
    help: 'All properties of a CPU model with the values they have',
    arguments: t.object({ type: t.enum(['static', 'full']), model: CPU_MODEL }),
    returns: t.object({ model: CPU_MODEL, 'deprecated-props': t.optional(t.array(t.str)) }),
    run({ target }, { model }) {
      const type = catalogOf(target).cpus.find(({ name }) => name === model.name);
      if (type === undefined) throw new QmpError('GenericError', `CPU model '${model.name}' not found`);
      return { model: { name: model.name, props: expand(type, model.props) } };
    },
  }),
  'query-command-line-options': defineCommand({
    help: 'Options of the command line that take parameters',
    arguments: t.object({ option: t.optional(t.str) }),
    returns: t.array(
      t.object({
        option: t.str,
        parameters: t.array(
          t.object({
            name: t.str,
            type: t.enum(['string', 'boolean', 'number', 'size']),
            help: t.optional(t.str),
            default: t.optional(t.str),
          }),
        ),
      }),
    ),
    run({ target }, { option }) {
      const { commandLine } = catalogOf(target);
      if (option === undefined) return commandLine;
      const found = commandLine.filter((row) => row.option === option);
      if (found.length === 0) throw new QmpError('GenericError', `invalid option name: ${option}`);
      return found;
    },
  }),
  'query-target': defineCommand({
    help: 'The architecture',
    arguments: noArguments,
    returns: t.object({ arch: t.enum(['x86_64']) }),
    run: () => ({ arch: 'x86_64' as const }),
  }),
  'query-kvm': defineCommand({
    help: 'Whether the host runs guest code by itself; it never does',
    arguments: noArguments,
    returns: t.object({ enabled: t.bool, present: t.bool }),
    features: ['deprecated'],
    run: () => ({ enabled: false, present: false }),
  }),
  'query-accelerators': defineCommand({
    help: 'Engines; `tcg` is the name of ours, a translator as QEMU has one',
    arguments: noArguments,
    returns: t.object({ enabled: t.enum(['tcg']), present: t.array(t.enum(['tcg'])) }),
    run: () => ({ enabled: 'tcg' as const, present: ['tcg' as const] }),
  }),
};
