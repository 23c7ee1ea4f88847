import { t } from './types.ts';

const FEATURES = t.optional(t.array(t.str));

/** An entry of `query-qmp-schema`'s answer, as a type: the schema describes itself too. */
export const SCHEMA_INFO = t.union(
  'meta-type',
  {
    name: t.str,
    'meta-type': t.enum(['builtin', 'enum', 'array', 'object', 'alternate', 'command', 'event']),
    features: FEATURES,
  },
  {
    builtin: { 'json-type': t.enum(['string', 'number', 'int', 'boolean', 'null', 'object', 'array', 'value']) },
    enum: {
      members: t.array(t.object({ name: t.str, features: FEATURES })),
      values: t.featured(t.array(t.str), 'deprecated'),
    },
    array: { 'element-type': t.str },
    object: {
      members: t.array(t.object({ name: t.str, type: t.str, default: t.optional(t.any), features: FEATURES })),
      tag: t.optional(t.str),
      variants: t.optional(t.array(t.object({ case: t.str, type: t.str }))),
    },
    alternate: { members: t.array(t.object({ type: t.str })) },
    command: { 'arg-type': t.str, 'ret-type': t.str, 'allow-oob': t.optional(t.bool) },
    event: { 'arg-type': t.str },
  },
);
