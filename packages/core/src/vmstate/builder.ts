/**
 * The bound field builder: `fields: ({ u32 }) => [u32('head')]`. Bound to the
 * device's type it completes only keys of the right type, and a typo is a
 * one-line error. What it returns is data (`field.ts`).
 */
import type { VmField, VmFieldBase, VmScalarType, VmScalarValue } from './field.ts';
import type { LoadStream, SaveStream } from './stream.ts';
import type { VmStateTable } from './table.ts';

/** Keys of `D` whose values are `V`. */
export type KeysOf<D, V> = { [K in keyof D]-?: D[K] extends V ? K : never }[keyof D] & string;

/** An indexable store of scalars: an array or a typed array. Typed arrays over shared memory are fine. */
export interface ScalarArray<V> {
  readonly length: number;
  [index: number]: V;
}

/** Keys of `D` that hold arrays of `V`. */
export type ArrayKeysOf<D, V> = KeysOf<D, ScalarArray<V>>;

/** Keys of `D` that hold arrays of structs. */
export type StructArrayKeysOf<D> = KeysOf<D, readonly object[]>;

/** The element type of the struct array behind a key. */
export type ElementOf<T> = T extends readonly (infer E)[] ? E : never;

/** Options of every field. */
export interface FieldOptions<D> {
  /** Wire name, when it is not the key in snake_case (`lastIrr` gives `last_irr`). */
  readonly name?: string;
  /** First version of the table that has this field; older streams do not carry it. */
  readonly since?: number;
  /** Decides alone whether the field is on the wire. Must give the same answer on both sides. */
  readonly when?: (dev: D, version: number) => boolean;
}

/** Options of a single scalar. */
export interface ScalarOptions<D> extends FieldOptions<D> {
  /** Both sides must hold the same value; the text tells the user what to change when they do not. */
  readonly equal?: string;
}

/** Options of fields with a variable number of elements or bytes. */
export interface CountedOptions<D> extends FieldOptions<D> {
  /** Most elements accepted at load; the array's own length by default. */
  readonly max?: number;
}

/** A derived value: computed when saved, taken apart when loaded. */
export interface Derived<D, V> {
  /** Wire name. */
  readonly name: string;
  get(dev: D): V;
  set(dev: D, value: V): void;
}

/** Derived array elements. */
export interface DerivedArray<D, V> {
  /** Wire name. */
  readonly name: string;
  get(dev: D, index: number): V;
  set(dev: D, value: V, index: number): void;
}

/** Raw bytes that are not simply a property of the device. */
export interface DerivedBytes<D> {
  /** Wire name. */
  readonly name: string;
  /** The bytes to send; at load the same array is filled. */
  bytes(dev: D): Uint8Array;
  /** Called after a load has filled the array. */
  store?(dev: D, bytes: Uint8Array): void;
}

/** A field with its own encoding. */
export interface CustomField<D> {
  /** Wire name. */
  readonly name: string;
  /** Type name shown in the vmdescription, e.g. `virtio`. */
  readonly type: string;
  save(dev: D, stream: SaveStream): void;
  /** Must be restartable, see {@link LoadStream}. */
  load(dev: D, stream: LoadStream, version: number): void;
}

/** Number of elements: a constant, the key of an earlier field, or a function of the device. */
export type Count<D> = number | KeysOf<D, number> | ((dev: D) => number);

/** A virtual clock timer as a device holds it. */
export interface NumberTimer {
  readonly expiryNs: number;
  arm(expiryNs: number): void;
  cancel(): void;
}

/** A timer on a clock whose times need 64 bits. */
export interface BigintTimer {
  readonly expiryNs: bigint;
  arm(expiryNs: bigint): void;
  cancel(): void;
}

/** Makes the fields of a table over devices of type `D`. */
export interface FieldBuilder<D> {
  bool(field: KeysOf<D, boolean> | Derived<D, boolean>, options?: ScalarOptions<D>): VmField;
  u8(field: KeysOf<D, number> | Derived<D, number>, options?: ScalarOptions<D>): VmField;
  u16(field: KeysOf<D, number> | Derived<D, number>, options?: ScalarOptions<D>): VmField;
  u32(field: KeysOf<D, number> | Derived<D, number>, options?: ScalarOptions<D>): VmField;
  i8(field: KeysOf<D, number> | Derived<D, number>, options?: ScalarOptions<D>): VmField;
  i16(field: KeysOf<D, number> | Derived<D, number>, options?: ScalarOptions<D>): VmField;
  i32(field: KeysOf<D, number> | Derived<D, number>, options?: ScalarOptions<D>): VmField;
  u64(field: KeysOf<D, bigint> | Derived<D, bigint>, options?: ScalarOptions<D>): VmField;
  i64(field: KeysOf<D, bigint> | Derived<D, bigint>, options?: ScalarOptions<D>): VmField;
  /**
   * A timer: i64 ns of the clock it runs on, -1 when it is not armed. At load the
   * timer is armed or cancelled. A plain bigint property holds the deadline itself.
   */
  timer(
    field: KeysOf<D, NumberTimer | BigintTimer> | KeysOf<D, bigint> | Derived<D, bigint>,
    options?: ScalarOptions<D>,
  ): VmField;
  /** i64 on the wire, held as a number: times in ns, exact up to 2^53. A fraction is cut off. */
  ns(field: KeysOf<D, number> | Derived<D, number>, options?: ScalarOptions<D>): VmField;
  /** u64 on the wire, held as a number: sizes and physical addresses, exact up to 2^53. */
  size(field: KeysOf<D, number> | Derived<D, number>, options?: ScalarOptions<D>): VmField;
  /** `count` elements one behind the other, with no count on the wire. */
  array<T extends VmScalarType>(
    type: T,
    field: ArrayKeysOf<D, VmScalarValue<T>> | DerivedArray<D, VmScalarValue<T>>,
    count: Count<D>,
    options?: CountedOptions<D>,
  ): VmField;
  /** The bytes of an array: all of it, or its first `size`. */
  buffer(
    field: KeysOf<D, Uint8Array> | DerivedBytes<D>,
    options?: FieldOptions<D> & { readonly size?: Count<D> },
  ): VmField;
  /** A nested table; nothing but its fields (and subsections) is on the wire. */
  struct<K extends KeysOf<D, object>>(key: K, table: VmStateTable<D[K]>, options?: FieldOptions<D>): VmField;
  /** A nested table over an object that is not a property, e.g. a view made on demand. */
  structOf<N extends object>(
    name: string,
    at: (dev: D) => N,
    table: VmStateTable<N>,
    options?: FieldOptions<D>,
  ): VmField;
  /** An array of nested tables. */
  structArray<K extends StructArrayKeysOf<D>>(
    key: K,
    table: VmStateTable<ElementOf<D[K]>>,
    count: Count<D>,
    options?: CountedOptions<D>,
  ): VmField;
  /** An array of nested tables over objects made on demand. A variable count needs `max`. */
  structArrayOf<N extends object>(
    name: string,
    at: (dev: D, index: number) => N,
    table: VmStateTable<N>,
    count: Count<D>,
    options?: CountedOptions<D>,
  ): VmField;
  /** A nested table over the same device, described inline as type `tmp`. */
  tmp(name: string, table: VmStateTable<D>, options?: FieldOptions<D>): VmField;
  /** `size` bytes that mean nothing: zeros when saved, skipped when loaded. */
  unused(size: number, options?: FieldOptions<D>): VmField;
  /** Bytes only the device understands. */
  custom(field: CustomField<D>, options?: FieldOptions<D>): VmField;
}

/** `lastIrr` to `last_irr`: the keys are ours, the wire names QEMU's. */
export function wireName(key: string): string {
  return key.replace(/[A-Z]/g, (letter, at: number) => (at > 0 ? '_' : '') + letter.toLowerCase());
}

// From here on the device's type is erased: the public signatures above have
// checked key and value types, so the record view below cannot be wrong.
type Dev = Readonly<Record<string, unknown>>;

function base(name: string, options: FieldOptions<object> | undefined): VmFieldBase {
  return {
    name: options?.name ?? name,
    since: options?.since ?? 0,
    ...(options?.when === undefined ? {} : { when: options.when }),
  };
}

function countOf(count: Count<object>): number | ((dev: object) => number) {
  if (typeof count !== 'string') return count;
  const key: string = count;
  return (dev) => (dev as Dev)[key] as number;
}

type Scalar = number | bigint | boolean;

function scalar(type: VmScalarType) {
  return (field: string | Derived<object, Scalar>, options?: ScalarOptions<object>): VmField => {
    const equal = options?.equal === undefined ? {} : { equal: options.equal };
    if (typeof field !== 'string') {
      const { get, set } = field;
      return {
        kind: 'scalar',
        type,
        ...base(field.name, options),
        ...equal,
        get: (dev) => get(dev),
        set: (dev, value) => set(dev, value),
      };
    }
    return {
      kind: 'scalar',
      type,
      ...base(wireName(field), options),
      ...equal,
      get: (dev) => (dev as Dev)[field] as Scalar,
      set: (dev, value) => {
        (dev as Record<string, Scalar>)[field] = value;
      },
    };
  };
}

/** A 64-bit wire value held as a number. */
function wide(type: 'i64' | 'u64') {
  const make = scalar(type);
  return (field: string | Derived<object, number>, options?: ScalarOptions<object>): VmField => {
    const source = typeof field === 'string' ? propertyOf(field) : field;
    return make(
      {
        name: source.name,
        get: (dev) => whole(source.get(dev)),
        set: (dev, value) => source.set(dev, exact(value as bigint)),
      },
      options,
    );
  };
}

function propertyOf(key: string): Derived<object, number> {
  return {
    name: wireName(key),
    get: (dev) => (dev as Dev)[key] as number,
    set: (dev, value) => {
      (dev as Record<string, number>)[key] = value;
    },
  };
}

/** Virtual time may have a fraction of a ns between two instructions; the wire has whole ones. */
function whole(value: number): bigint {
  return BigInt(Math.trunc(value));
}

function exact(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new RangeError(`${value} is beyond 2^53`);
  return number;
}

function timer(field: string | Derived<object, Scalar>, options?: ScalarOptions<object>): VmField {
  if (typeof field !== 'string') return scalar('timer')(field, options);
  return scalar('timer')(
    {
      name: wireName(field),
      get(dev) {
        const held = (dev as Dev)[field] as bigint | NumberTimer | BigintTimer;
        if (typeof held === 'bigint') return held;
        return typeof held.expiryNs === 'bigint' ? held.expiryNs : whole(held.expiryNs);
      },
      set(dev, value) {
        const held = (dev as Dev)[field] as bigint | NumberTimer | BigintTimer;
        if (typeof held === 'bigint') (dev as Record<string, Scalar>)[field] = value;
        else if (value === -1n) held.cancel();
        // The two kinds differ only in the type of their times.
        else if (typeof held.expiryNs === 'bigint') (held as BigintTimer).arm(value as bigint);
        else (held as NumberTimer).arm(exact(value as bigint));
      },
    },
    options,
  );
}

function array(
  type: VmScalarType,
  field: string | DerivedArray<object, Scalar>,
  count: Count<object>,
  options?: CountedOptions<object>,
): VmField {
  const common = { kind: 'scalar', type, count: countOf(count) } as const;
  const max = options?.max;
  if (typeof field !== 'string') {
    const { get, set } = field;
    return { ...common, ...base(field.name, options), ...(max === undefined ? {} : { maxCount: () => max }), get, set };
  }
  const elements = (dev: object) => (dev as Dev)[field] as ScalarArray<Scalar>;
  return {
    ...common,
    ...base(wireName(field), options),
    maxCount: (dev) => max ?? elements(dev).length,
    get: (dev, index) => elements(dev)[index] as Scalar,
    set: (dev, value, index) => {
      elements(dev)[index] = value;
    },
  };
}

function buffer(
  field: string | DerivedBytes<object>,
  options?: FieldOptions<object> & { readonly size?: Count<object> },
): VmField {
  const size = options?.size === undefined ? {} : { size: countOf(options.size) };
  if (typeof field === 'string') {
    return {
      kind: 'buffer',
      ...base(wireName(field), options),
      ...size,
      bytes: (dev) => (dev as Dev)[field] as Uint8Array,
    };
  }
  const { bytes, store } = field;
  return { kind: 'buffer', ...base(field.name, options), ...size, bytes, ...(store === undefined ? {} : { store }) };
}

function structArrayOf(
  name: string,
  at: (dev: object, index: number) => object,
  table: VmStateTable<object>,
  count: Count<object>,
  options?: CountedOptions<object>,
): VmField {
  const max = options?.max;
  const bound = max === undefined ? {} : { maxCount: () => max };
  return { kind: 'struct', ...base(name, options), table, count: countOf(count), ...bound, at };
}

const builder = {
  bool: scalar('bool'),
  u8: scalar('u8'),
  u16: scalar('u16'),
  u32: scalar('u32'),
  i8: scalar('i8'),
  i16: scalar('i16'),
  i32: scalar('i32'),
  u64: scalar('u64'),
  i64: scalar('i64'),
  timer,
  ns: wide('i64'),
  size: wide('u64'),
  array,
  buffer,
  struct: (key: string, table: VmStateTable<object>, options?: FieldOptions<object>): VmField => ({
    kind: 'struct',
    ...base(wireName(key), options),
    table,
    at: (dev) => (dev as Dev)[key] as object,
  }),
  structOf: (
    name: string,
    at: (dev: object) => object,
    table: VmStateTable<object>,
    options?: FieldOptions<object>,
  ): VmField => ({ kind: 'struct', ...base(name, options), table, at: (dev) => at(dev) }),
  structArray(
    key: string,
    table: VmStateTable<object>,
    count: Count<object>,
    options?: CountedOptions<object>,
  ): VmField {
    const elements = (dev: object) => (dev as Dev)[key] as readonly object[];
    return {
      kind: 'struct',
      ...base(wireName(key), options),
      table,
      count: countOf(count),
      maxCount: (dev) => options?.max ?? elements(dev).length,
      at: (dev, index) => elements(dev)[index] as object,
    };
  },
  structArrayOf,
  tmp: (name: string, table: VmStateTable<object>, options?: FieldOptions<object>): VmField => ({
    kind: 'tmp',
    ...base(name, options),
    table,
  }),
  unused: (size: number, options?: FieldOptions<object>): VmField => ({
    kind: 'unused',
    ...base('unused', options),
    size,
  }),
  custom(field: CustomField<object>, options?: FieldOptions<object>): VmField {
    const { name, type, save, load } = field;
    return { kind: 'custom', ...base(name, options), type, save, load };
  },
};

/** The builder handed to every table's `fields`. One object serves all tables, since the type is erased here. */
export function fieldBuilder<D>(): FieldBuilder<D> {
  // Sound because D only restricts which keys and accessors may be passed in.
  return builder as unknown as FieldBuilder<D>;
}
