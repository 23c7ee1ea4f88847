import type { Property, PropertyTable } from '@sterna/core';
import { type Members, type QapiType, t } from '../schema/types.ts';

/** The QAPI type of a property's value as data. */
export function propertyType(property: Property<unknown>): QapiType<unknown> {
  if (property.element !== undefined) return t.array(t.object(propertyMembers(property.element)));
  if (property.values !== undefined) return t.enum(property.values);
  switch (property.kind) {
    case 'on/off':
      return t.bool;
    case 'uint8':
    case 'uint16':
    case 'uint32':
    case 'uint64':
    case 'size':
      return t.int;
    case 'str':
    case 'chardev':
      return t.str;
    default:
      return t.any;
  }
}

/** The members that give values to properties: required ones, and others that may be left out. */
export function propertyMembers(table: PropertyTable): Members {
  return Object.fromEntries(
    Object.entries(table).map(([name, property]) => {
      const type = propertyType(property);
      return [name, property.required ? type : t.optional(type)];
    }),
  );
}
