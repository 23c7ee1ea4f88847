import { SternaError } from '@sterna/core';
import { QmpError } from '../errors.ts';
import { findObject, propertiesOf, type QomNode, type QomType } from '../qom/qom-node.ts';
import { t } from '../schema/types.ts';
import type { MonitorQom, MonitorTarget } from '../target.ts';
import { PROPERTY_INFO } from '../types/machine-types.ts';
import { defineCommand, NOTHING, nothing } from './define-command.ts';

/** The tree of a machine's parts. @throws SternaError where there is none */
export function qomOf({ qom }: MonitorTarget): MonitorQom {
  if (qom === undefined) throw new SternaError('STERNA_ERR_UNSUPPORTED', 'this machine shows no tree of its parts');
  return qom;
}

function propertyOf(node: QomNode, name: string) {
  const properties = propertiesOf(node);
  const property = Object.hasOwn(properties, name) ? properties[name] : undefined;
  if (property === undefined) throw new QmpError('GenericError', `Property '${node.type}.${name}' not found`);
  return property;
}

/** The type and those it is built on, itself first. */
function ancestry(types: readonly QomType[], name: string): QomType[] {
  const type = types.find((candidate) => candidate.name === name);
  return type === undefined ? [] : [type, ...(type.parent === undefined ? [] : ancestry(types, type.parent))];
}

function info(
  properties: Readonly<Record<string, { type: string; description?: string | undefined; defaultValue?: unknown }>>,
) {
  return Object.entries(properties).map(([name, { type, description, defaultValue }]) => ({
    name,
    type,
    ...(description === undefined ? {} : { description }),
    ...(defaultValue === undefined ? {} : { 'default-value': defaultValue }),
  }));
}

/** What every device has, before its own properties. */
const DEVICE_CLASS = {
  type: { type: 'string' },
  parent_bus: { type: 'link<bus>' },
  realized: { type: 'bool' },
  hotplugged: { type: 'bool' },
  hotpluggable: { type: 'bool' },
};

/** Commands about the tree of objects that a machine consists of. */
export const qomCommands = {
  'qom-list': defineCommand({
    help: 'Properties of an object, and the objects below it',
    arguments: t.object({ path: t.str }),
    returns: t.array(PROPERTY_INFO),
    run: ({ target }, { path }) =>
      Object.entries(propertiesOf(findObject(qomOf(target).root, path))).map(([name, { type }]) => ({ name, type })),
  }),
  'qom-list-get': defineCommand({
    help: 'Properties of several objects with their values',
    arguments: t.object({ paths: t.array(t.str) }),
    returns: t.array(
      t.object({ properties: t.array(t.object({ name: t.str, type: t.str, value: t.optional(t.any) })) }),
    ),
    run: ({ target }, { paths }) =>
      paths.map((path) => ({
        properties: Object.entries(propertiesOf(findObject(qomOf(target).root, path))).map(([name, { type, get }]) => {
          const value = get();
          return { name, type, ...(value === undefined ? {} : { value }) };
        }),
      })),
  }),
  'qom-get': defineCommand({
    help: 'Value of a property of an object',
    arguments: t.object({ path: t.str, property: t.str }),
    returns: t.any,
    run: ({ target }, { path, property }) => propertyOf(findObject(qomOf(target).root, path), property).get() ?? '',
  }),
  'qom-set': defineCommand({
    help: 'Changes a property of an object',
    arguments: t.object({ path: t.str, property: t.str, value: t.any }),
    returns: nothing,
    run({ target }, { path, property, value }) {
      const node = findObject(qomOf(target).root, path);
      const found = propertyOf(node, property);
      if (found.set === undefined)
        throw new QmpError('GenericError', `Property '${node.type}.${property}' is not writable`);
      found.set(value);
      return NOTHING;
    },
  }),
  'qom-list-types': defineCommand({
    help: 'Types of objects: all, or those that build on one',
    arguments: t.object({ implements: t.optional(t.str), abstract: t.optional(t.bool) }),
    returns: t.array(t.object({ name: t.str, abstract: t.optional(t.bool), parent: t.optional(t.str) })),
    run({ target }, args) {
      const { types } = qomOf(target);
      const base = args.implements;
      return types
        .filter((type) => args.abstract === true || type.abstract !== true)
        .filter((type) => base === undefined || ancestry(types, type.name).some(({ name }) => name === base))
        .map(({ name, parent, abstract }) => ({
          name,
          ...(abstract === true ? { abstract } : {}),
          ...(parent === undefined ? {} : { parent }),
        }));
    },
  }),
  'qom-list-properties': defineCommand({
    help: 'Properties of a type of objects',
    arguments: t.object({ typename: t.str }),
    returns: t.array(PROPERTY_INFO),
    run({ target }, { typename }) {
      const chain = ancestry(qomOf(target).types, typename);
      if (chain.length === 0) throw new QmpError('DeviceNotFound', `Class '${typename}' not found`);
      const isDevice = chain.some(({ name }) => name === 'device');
      return info({ ...(isDevice ? DEVICE_CLASS : { type: { type: 'string' } }), ...chain[0]!.properties?.() });
    },
  }),
  'device-list-properties': defineCommand({
    help: 'Properties of a type of devices',
    arguments: t.object({ typename: t.str }),
    returns: t.array(PROPERTY_INFO),
    run({ target }, { typename }) {
      const chain = ancestry(qomOf(target).types, typename);
      if (chain.length === 0) throw new QmpError('DeviceNotFound', `Device '${typename}' not found`);
      if (chain[0]!.abstract === true || !chain.some(({ name }) => name === 'device'))
        throw new QmpError('GenericError', "Parameter 'typename' expects a non-abstract device type");
      return info(chain[0]!.properties?.() ?? {});
    },
  }),
};
