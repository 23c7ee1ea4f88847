import { QmpError } from '../errors.ts';

/** A QAPI type: checks data, describes itself for introspection, and gives commands and clients their TypeScript types. */
export interface QapiType<T> {
  /** QAPI's name of a builtin type, or the kind of another one. */
  readonly kind: QapiKind;
  /** May be left out of an object. */
  readonly optional?: true;
  /** Features of a member with this type: `unstable`, `deprecated`. */
  readonly features?: readonly string[];
  /** Members, of an object. */
  readonly members?: Members;
  /** Member whose value chooses one of {@link variants}. */
  readonly tag?: string;
  /** Further members of an object, by the tag's value. */
  readonly variants?: Readonly<Record<string, QapiType<unknown>>>;
  /** Elements, of an array. */
  readonly element?: QapiType<unknown>;
  /** Words, of an enumeration. */
  readonly values?: readonly string[];
  /** Features of words. */
  readonly valueFeatures?: Readonly<Record<string, readonly string[]>>;
  /** What an alternate may be. */
  readonly choices?: readonly QapiType<unknown>[];
  /** The type meant, of one that stands inside itself. */
  readonly target?: () => QapiType<unknown>;
  /**
   * Checks `value` and answers it.
   *
   * @param name - Where it stands, for messages.
   * @throws QmpError `GenericError` naming the parameter and what it should be.
   */
  check(value: unknown, name: string): T;
}

/** Builtin types and kinds of others; `lazy` stands for a type that is declared later. */
export type QapiKind =
  | 'str'
  | 'int'
  | 'number'
  | 'bool'
  | 'null'
  | 'any'
  | 'object'
  | 'array'
  | 'enum'
  | 'alternate'
  | 'lazy';

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

/** A type with members. */
export type ObjectType<M extends Members> = QapiType<ObjectOf<M>> & { readonly members: M };

/** The object type of a union: its base, and for each value of the tag the members of that variant. */
export type UnionOf<B extends Members, T extends keyof B & string, V extends Readonly<Record<string, Members>>> = {
  [W in TypeOf<B[T]> & string]: ObjectOf<Omit<B, T>> & { readonly [K in T]: W } & (W extends keyof V
      ? ObjectOf<V[W]>
      : unknown);
}[TypeOf<B[T]> & string];

function wrong(name: string, expected: string): QmpError {
  return new QmpError('GenericError', `Invalid parameter type for '${name}', expected: ${expected}`);
}

function scalar<T>(kind: QapiKind, expected: string, is: (value: unknown) => value is T): QapiType<T> {
  return {
    kind,
    check(value, name) {
      if (is(value)) return value;
      throw wrong(name, expected);
    },
  };
}

type Dict = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Dict =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const dict = scalar('object', 'object', isObject);

/** Checks the members of an object. What has no member goes into the result when `isOpen`, and is an error otherwise. */
function checkMembers(members: Members, given: Dict, isOpen = false): Record<string, unknown> {
  const result: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(given)) {
    if (Object.hasOwn(members, key)) continue;
    if (!isOpen) throw new QmpError('GenericError', `Parameter '${key}' is unexpected`);
    result[key] = value;
  }
  for (const [key, type] of Object.entries(members)) {
    const member = Object.hasOwn(given, key) ? given[key] : undefined;
    if (member !== undefined) result[key] = type.check(member, key);
    else if (type.optional !== true) throw new QmpError('GenericError', `Parameter '${key}' is missing`);
  }
  return result;
}

function object<const M extends Members>(members: M): ObjectType<M> {
  // Every member was just checked by its type.
  return {
    kind: 'object',
    members,
    check: (value, name) => checkMembers(members, dict.check(value, name)) as ObjectOf<M>,
  };
}

function union<
  const B extends Members,
  const T extends keyof B & string,
  const V extends Readonly<Record<string, Members>>,
>(tag: T, base: B, variants: V): QapiType<UnionOf<B, T, V>> & { readonly members: B } {
  return {
    kind: 'object',
    members: base,
    tag,
    variants: Object.fromEntries(Object.entries(variants).map(([word, members]) => [word, object(members)])),
    check(value, name) {
      const given = dict.check(value, name);
      if (given[tag] === undefined) throw new QmpError('GenericError', `Parameter '${tag}' is missing`);
      const word = base[tag]!.check(given[tag], tag) as string;
      const members = Object.hasOwn(variants, word) ? { ...base, ...variants[word] } : base;
      return checkMembers(members, given) as UnionOf<B, T, V>;
    },
  };
}

/** Builders of QAPI types. */
export const t = {
  str: scalar('str', 'string', (value) => typeof value === 'string'),
  int: scalar('int', 'integer', (value): value is number => Number.isSafeInteger(value)),
  number: scalar('number', 'number', (value) => typeof value === 'number'),
  bool: scalar('bool', 'boolean', (value) => typeof value === 'boolean'),
  null: scalar('null', 'null', (value) => value === null),
  any: { kind: 'any', check: (value: unknown) => value } as QapiType<unknown>,
  object,
  /** An object that takes further members; whoever gets them checks them. */
  open: <const M extends Members>(members: M): QapiType<ObjectOf<M> & Dict> & { readonly members: M } => ({
    kind: 'object',
    members,
    check: (value, name) => checkMembers(members, dict.check(value, name), true) as ObjectOf<M> & Dict,
  }),
  union,
  /** Described by `type`, and checked only by whoever gets it, who knows more: a table of properties. */
  described: (type: QapiType<unknown>): QapiType<Dict> => ({ ...type, check: dict.check }),
  array: <T>(element: QapiType<T>): QapiType<readonly T[]> => ({
    kind: 'array',
    element,
    check(value, name) {
      if (!Array.isArray(value)) throw wrong(name, 'array');
      return value.map((item, index) => element.check(item, `${name}[${index}]`));
    },
  }),
  enum: <const V extends readonly string[]>(
    values: V,
    valueFeatures: Readonly<Record<string, readonly string[]>> = {},
  ): QapiType<V[number]> => ({
    kind: 'enum',
    values,
    valueFeatures,
    check(value, name) {
      if (typeof value !== 'string') throw wrong(name, 'string');
      if (values.includes(value)) return value;
      throw new QmpError('GenericError', `Parameter '${name}' does not accept value '${value}'`);
    },
  }),
  /** One of several types that differ in JSON. */
  alternate: <const C extends readonly QapiType<unknown>[]>(choices: C): QapiType<TypeOf<C[number]>> => ({
    kind: 'alternate',
    choices,
    check(value, name) {
      const fits = choices.find((choice) => jsonKinds(choice).includes(jsonKind(value)));
      if (fits === undefined) throw wrong(name, choices.map((choice) => jsonKinds(choice)[0]).join(' or '));
      return fits.check(value, name) as TypeOf<C[number]>;
    },
  }),
  /** A type that is declared further down, or stands inside itself. */
  lazy: <T>(target: () => QapiType<T>): QapiType<T> => ({
    kind: 'lazy',
    target,
    check: (value, name) => target().check(value, name),
  }),
  optional: <Q extends QapiType<unknown>>(type: Q): Q & { readonly optional: true } => ({ ...type, optional: true }),
  /** A member with features. */
  featured: <Q extends QapiType<unknown>>(type: Q, ...features: readonly string[]): Q => ({ ...type, features }),
} as const;

function jsonKind(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
}

function jsonKinds(type: QapiType<unknown>): readonly string[] {
  switch (type.kind) {
    case 'str':
    case 'enum':
      return ['string'];
    case 'int':
    case 'number':
      return ['number'];
    case 'bool':
      return ['boolean'];
    case 'any':
      return ['string', 'number', 'boolean', 'null', 'array', 'object'];
    case 'lazy':
      return jsonKinds(type.target!());
    case 'alternate':
      return type.choices!.flatMap(jsonKinds);
    default:
      return [type.kind];
  }
}
