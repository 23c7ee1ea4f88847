import type { AnyCommand } from '../commands/define-command.ts';
import type { AnyEvent } from '../events/define-event.ts';
import type { MonitorCatalog } from '../target.ts';
import type { SCHEMA_INFO } from './schema-info.ts';
import type { QapiType, TypeOf } from './types.ts';

/** An entry of `query-qmp-schema`'s answer. */
export type SchemaInfo = TypeOf<typeof SCHEMA_INFO>;

type Entry = Readonly<Record<string, unknown>>;

const JSON_TYPES: Readonly<Record<string, string>> = {
  str: 'string',
  int: 'int',
  number: 'number',
  bool: 'boolean',
  null: 'null',
  any: 'value',
};

/**
 * Describes commands and events in QEMU's form (QAPI schema introspection): types have no names but numbers, arrays are
 * called `[ELEMENT]`, and equal types are told once.
 */
export function introspect(
  commands: Readonly<Record<string, AnyCommand>>,
  events: Readonly<Record<string, AnyEvent>>,
  catalog?: MonitorCatalog,
): readonly SchemaInfo[] {
  const types = new TypeList();
  const entries: Entry[] = [];
  for (const [name, command] of Object.entries(commands)) {
    const { returns, features, allowOob } = command;
    const args = (catalog === undefined ? undefined : command.argumentsIn?.(catalog)) ?? command.arguments;
    entries.push({
      name,
      'meta-type': 'command',
      'arg-type': types.nameOf(args),
      'ret-type': types.nameOf(returns),
      ...(allowOob === true ? { 'allow-oob': true } : {}),
      ...(features === undefined ? {} : { features }),
    });
  }
  for (const [name, { data }] of Object.entries(events))
    entries.push({ name, 'meta-type': 'event', 'arg-type': types.nameOf(data) });
  // Made by the table below, in the form of the type.
  return [...entries, ...types.entries] as unknown as readonly SchemaInfo[];
}

class TypeList {
  readonly entries: Entry[] = [];
  readonly #byType = new Map<QapiType<unknown>, string>();
  /** Names of equal types, by what they say. */
  readonly #byContent = new Map<string, string>();
  #next = 0;

  nameOf(type: QapiType<unknown>): string {
    const known = this.#byType.get(type);
    if (known !== undefined) return known;
    if (type.kind === 'lazy') {
      // Named before it is looked at, since it may be found inside itself.
      const name = String(this.#next++);
      this.#byType.set(type, name);
      this.entries.push({ name, ...this.#content(type.target!()) });
      return name;
    }
    const content = this.#content(type);
    const key = JSON.stringify(content);
    let name = this.#byContent.get(key);
    if (name === undefined) {
      name =
        content['meta-type'] === 'builtin'
          ? type.kind
          : type.kind === 'array'
            ? `[${content['element-type'] as string}]`
            : String(this.#next++);
      this.#byContent.set(key, name);
      this.entries.push({ name, ...content });
    }
    this.#byType.set(type, name);
    return name;
  }

  #content(type: QapiType<unknown>): Entry {
    switch (type.kind) {
      case 'object':
        return {
          'meta-type': 'object',
          members: Object.entries(type.members ?? {}).map(([name, member]) => this.#member(name, member)),
          ...(type.variants === undefined ? {} : { tag: type.tag, variants: this.#variants(type) }),
        };
      case 'array':
        return { 'meta-type': 'array', 'element-type': this.nameOf(type.element!) };
      case 'enum':
        return {
          'meta-type': 'enum',
          members: type.values!.map((name) => ({
            name,
            ...(type.valueFeatures?.[name] === undefined ? {} : { features: type.valueFeatures[name] }),
          })),
          values: type.values,
        };
      case 'alternate':
        return { 'meta-type': 'alternate', members: type.choices!.map((choice) => ({ type: this.nameOf(choice) })) };
      default:
        return { 'meta-type': 'builtin', 'json-type': JSON_TYPES[type.kind] };
    }
  }

  #member(name: string, type: QapiType<unknown>): Entry {
    return {
      name,
      type: this.nameOf(type),
      ...(type.optional === true ? { default: null } : {}),
      ...(type.features === undefined ? {} : { features: type.features }),
    };
  }

  /** Every word of the tag has a variant; most have no members of their own. */
  #variants({ tag, members, variants = {} }: QapiType<unknown>): Entry[] {
    const words = members![tag!]!.values ?? [];
    const empty: QapiType<unknown> = { kind: 'object', members: {}, check: (value) => value };
    return words.map((word) => ({ case: word, type: this.nameOf(variants[word] ?? empty) }));
  }
}
