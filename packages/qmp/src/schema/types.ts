import { QmpError } from '../errors.ts';

/** A QAPI type: checks data, and gives commands and clients their TypeScript types. */
export interface QapiType<T> {
  /** QAPI's name of the kind, for messages and introspection. */
  readonly kind: string;
  /** May be left out of an object. */
  readonly optional?: true;
  /** Members, of an object. */
  readonly members?: Readonly<Record<string, QapiType<unknown>>>;
  /** Elements, of an array. */
  readonly element?: QapiType<unknown>;
  /** Words, of an enumeration. */
  readonly values?: readonly string[];
  /**
   * Checks `value` and answers it.
   *
   * @param name - Where it stands, for messages.
   * @throws QmpError `GenericError` naming the parameter and what it should be.
   */
  check(value: unknown, name: string): T;
}

/** The TypeScript type of a QAPI type. */
export type TypeOf<Q> = Q extends QapiType<infer T> ? T : never;

/** Members of a QAPI struct. */
export type Members = Readonly<Record<string, QapiType<unknown>>>;

/** Names of the members that may be missing. */
export type OptionalKeys<M extends Members> = {
  [K in keyof M]: M[K] extends { readonly optional: true } ? K : never;
}[keyof M];

/** The object type of some members: optional ones may be missing. */
export type ObjectOf<M extends Members> = { readonly [K in Exclude<keyof M, OptionalKeys<M>>]: TypeOf<M[K]> } & {
  readonly [K in OptionalKeys<M>]?: TypeOf<M[K]> | undefined;
};

function scalar<T>(kind: string, expected: string, is: (value: unknown) => value is T): QapiType<T> {
  return {
    kind,
    check(value, name) {
      if (is(value)) return value;
      throw new QmpError('GenericError', `Invalid parameter type for '${name}', expected: ${expected}`);
    },
  };
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Any object, checked by whoever takes it. */
const dict: QapiType<Readonly<Record<string, unknown>>> = scalar('dict', 'object', isObject);

function object<const M extends Members>(members: M): QapiType<ObjectOf<M>> & { readonly members: M } {
  return {
    kind: 'object',
    members,
    check(value, name) {
      const given = dict.check(value, name);
      for (const key of Object.keys(given)) {
        if (!Object.hasOwn(members, key)) throw new QmpError('GenericError', `Parameter '${key}' is unexpected`);
      }
      const result: Record<string, unknown> = {};
      for (const [key, type] of Object.entries(members)) {
        const member = Object.hasOwn(given, key) ? given[key] : undefined;
        if (member !== undefined) result[key] = type.check(member, key);
        else if (type.optional !== true) throw new QmpError('GenericError', `Parameter '${key}' is missing`);
      }
      // Every member was just checked by its type.
      return result as ObjectOf<M>;
    },
  };
}

/** Builders of QAPI types. */
export const t = {
  str: scalar('str', 'string', (value) => typeof value === 'string'),
  int: scalar('int', 'integer', (value): value is number => Number.isSafeInteger(value)),
  number: scalar('number', 'number', (value) => typeof value === 'number'),
  bool: scalar('bool', 'boolean', (value) => typeof value === 'boolean'),
  any: { kind: 'any', check: (value: unknown) => value } as QapiType<unknown>,
  dict,
  object,
  array: <T>(element: QapiType<T>): QapiType<readonly T[]> => ({
    kind: 'array',
    element,
    check(value, name) {
      if (!Array.isArray(value))
        throw new QmpError('GenericError', `Invalid parameter type for '${name}', expected: array`);
      return value.map((item, index) => element.check(item, `${name}[${index}]`));
    },
  }),
  enum: <const V extends readonly string[]>(values: V): QapiType<V[number]> => ({
    kind: 'enum',
    values,
    check(value, name) {
      if (typeof value === 'string' && values.includes(value)) return value;
      throw new QmpError(
        'GenericError',
        `Parameter '${name}' does not accept value '${String(value)}'; it takes ${values.join(', ')}`,
      );
    },
  }),
  optional: <T>(type: QapiType<T>): QapiType<T> & { readonly optional: true } => ({ ...type, optional: true }),
  /** A result whose type is declared elsewhere in TypeScript; it is not checked. */
  typed: <T>(kind: string): QapiType<T> => ({ kind, check: (value) => value as T }),
} as const;
