import type { PropertyTable, PropertyValues } from '../device/properties.ts';

/** What an object may use while it is made. */
export interface ObjectContext {
  /** The object of that id, if there is one. */
  find(id: string): UserObject | undefined;
}

/** What an author writes for a kind of user-creatable object (`-object`, QMP `object-add`). */
export interface ObjectDescriptor<P extends PropertyTable = PropertyTable> {
  /** QEMU's name of the type, where QEMU has it. */
  readonly name: string;
  /** One sentence. */
  readonly description: string;
  readonly properties: P;
  /** Makes the object. Throws SternaError or RangeError with a sentence. */
  create(properties: PropertyValues<P>, context: ObjectContext): object;
}

/** A kind of user-creatable object. */
export interface ObjectType {
  readonly kind: 'object';
  // biome-ignore lint/suspicious/noExplicitAny: the registry erases the property types of its entries
  readonly descriptor: ObjectDescriptor<any>;
}

/** Declares a kind of user-creatable object. */
export function defineObject<const P extends PropertyTable>(descriptor: ObjectDescriptor<P>): ObjectType {
  return { kind: 'object', descriptor };
}

/** An object that a user made. */
export interface UserObject {
  readonly id: string;
  /** Name of its type. */
  readonly type: string;
  /** Properties with their defaults. */
  readonly properties: Readonly<Record<string, unknown>>;
  /** What {@link ObjectDescriptor.create} has made. */
  readonly value: object;
}
