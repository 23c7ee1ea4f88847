import { resolveProperties } from '../device/properties.ts';
import { ConfigError, SternaError } from '../errors.ts';
import type { ObjectContext, ObjectType, UserObject } from './define-object.ts';

/** A `-object`: its type, its id and its properties, and whether their scalars are text still. */
export interface ObjectSpec {
  readonly type: string;
  readonly id: string;
  readonly properties: Readonly<Record<string, unknown>>;
  readonly text: boolean;
}

/** The user-creatable objects of one machine, by id. */
export class UserObjects implements ObjectContext, Disposable {
  readonly #findType: (name: string) => ObjectType;
  readonly #objects = new Map<string, UserObject>();

  /** @param findType - Finds a type or throws, as `PluginRegistry.object` does. */
  constructor(findType: (name: string) => ObjectType) {
    this.#findType = findType;
  }

  /** All objects, in the order they were made. */
  get list(): readonly UserObject[] {
    return [...this.#objects.values()];
  }

  /**
   * Makes an object.
   *
   * @throws SternaError for an unknown type, a taken id, properties that do not fit, or whatever the object refuses
   */
  add({ type: name, id, properties, text }: ObjectSpec): void {
    const { descriptor } = this.#findType(name);
    if (!/^[a-z][\w.-]*$/i.test(id))
      throw new ConfigError(
        'STERNA_ERR_OBJECT',
        `'${id}' is no id: it begins with a letter, then letters, digits and -._`,
      );
    if (this.#objects.has(id)) throw new ConfigError('STERNA_ERR_DUPLICATE_ID', `there is an object '${id}' already`);
    const values = resolveProperties(descriptor.properties, properties, name, { text }) as UserObject['properties'];
    this.#objects.set(id, { id, type: name, properties: values, value: make(descriptor.create, values, this, id) });
  }

  find(id: string): UserObject | undefined {
    return this.#objects.get(id);
  }

  /** Removes an object. Whoever has its value already keeps it. @throws SternaError when there is none */
  remove(id: string): void {
    const object = this.#objects.get(id);
    if (object === undefined) throw new SternaError('STERNA_ERR_OBJECT', `object '${id}' not found`);
    this.#objects.delete(id);
    dispose(object.value);
  }

  [Symbol.dispose](): void {
    for (const { value } of this.#objects.values()) dispose(value);
    this.#objects.clear();
  }
}

function make(
  create: ObjectType['descriptor']['create'],
  properties: UserObject['properties'],
  context: ObjectContext,
  id: string,
): object {
  try {
    return create(properties, context);
  } catch (cause) {
    if (cause instanceof SternaError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigError('STERNA_ERR_OBJECT', reason, { path: `object ${id}`, cause });
  }
}

function dispose(value: object): void {
  if (Symbol.dispose in value) (value as Disposable)[Symbol.dispose]();
}
