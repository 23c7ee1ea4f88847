/** Decoded fields by path: `SECTION/INSTANCE/field/field[index]`. */
import type { DecodedStruct, DecodedValue } from '../vmstate/decode.ts';
import type { SectionItem } from './items.ts';

/** A field that has no parts. */
export interface Leaf {
  readonly path: string;
  readonly type: string;
  /** Where its bytes are, and how many. */
  readonly offset: number;
  readonly size: number;
  readonly value: bigint | boolean | Uint8Array;
}

/** All fields of a section in the stream's order; none of one that is not decoded. */
export function* leavesOf({ idstr, instance, body }: SectionItem): Generator<Leaf> {
  if (body.kind === 'fields') yield* structLeaves(body.state, `${idstr}/${instance}`);
}

function* structLeaves(state: DecodedStruct, path: string): Generator<Leaf> {
  for (const { name, index, type, offset, size, value } of state.fields) {
    const place = `${path}/${name}${index === undefined ? '' : `[${index}]`}`;
    yield* valueLeaves(value, { path: place, type, offset, size });
  }
  for (const subsection of state.subsections) {
    // Subsections repeat the name of what they belong to.
    const name = subsection.name.startsWith(`${state.name}/`)
      ? subsection.name.slice(state.name.length + 1)
      : subsection.name;
    yield* structLeaves(subsection, `${path}/${name}`);
  }
}

function* valueLeaves(value: DecodedValue, at: Omit<Leaf, 'value'>): Generator<Leaf> {
  if (Array.isArray(value)) {
    for (const [i, element] of value.entries())
      yield* valueLeaves(element, { ...at, path: `${at.path}[${i}]`, offset: at.offset + i * at.size });
  } else if (typeof value === 'object' && !(value instanceof Uint8Array)) yield* structLeaves(value, at.path);
  else yield { ...at, value };
}

/** A value as text: numbers in hex, negative ones decimal, bytes in hex up to 32 of them. */
export function valueText(value: Leaf['value']): string {
  if (typeof value === 'bigint') return value < 0n ? String(value) : `0x${value.toString(16)}`;
  if (typeof value === 'boolean') return String(value);
  return bytesText(value);
}

/** Bytes in hex, and how many there are when not all are shown. */
export function bytesText(bytes: Uint8Array, most = 32): string {
  let hex = '';
  for (const byte of bytes.subarray(0, most)) hex += byte.toString(16).padStart(2, '0');
  return bytes.length > most ? `${hex}... (${bytes.length} bytes)` : hex;
}

/**
 * A test for paths. `*` stands for anything within one step of the path, `**` for any steps, `?` for one character; a
 * pattern that ends at a step takes everything below it. Letters count in either case.
 */
export function pathPattern(pattern: string): (path: string) => boolean {
  const text = pattern
    .replace(/\/+(\.\.\.)?$/, '')
    .split(/(\*\*|\*|\?)/)
    .map((part) =>
      part === '**'
        ? '.*'
        : part === '*'
          ? '[^/]*'
          : part === '?'
            ? '[^/]'
            : part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'),
    )
    .join('');
  const expression = new RegExp(`^${text}($|[/[])`, 'i');
  return (path) => expression.test(path);
}
