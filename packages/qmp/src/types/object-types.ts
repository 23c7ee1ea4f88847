import type { ObjectType } from '@sterna/core';
import { type QapiType, t } from '../schema/types.ts';
import { propertyMembers } from './property-types.ts';

/** QAPI ObjectOptions for these types of objects; their tables check the values. */
export function objectOptions(types: readonly ObjectType[]): QapiType<Readonly<Record<string, unknown>>> {
  const names = types.map(({ descriptor }) => descriptor.name);
  return t.described({
    kind: 'object',
    members: { 'qom-type': t.enum(names), id: t.str },
    tag: 'qom-type',
    variants: Object.fromEntries(
      types.map(({ descriptor }) => [descriptor.name, t.object(propertyMembers(descriptor.properties))]),
    ),
    check: (value) => value,
  });
}
