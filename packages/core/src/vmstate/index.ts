export type {
  ArrayKeysOf,
  BigintTimer,
  Count,
  CountedOptions,
  CustomField,
  Derived,
  DerivedArray,
  DerivedBytes,
  ElementOf,
  FieldBuilder,
  FieldOptions,
  KeysOf,
  NumberTimer,
  ScalarArray,
  ScalarOptions,
  StructArrayKeysOf,
} from './builder.ts';
export * from './field.ts';
export * from './live.ts';
export * from './resolve.ts';
export * from './stream.ts';
export * from './table.ts';
