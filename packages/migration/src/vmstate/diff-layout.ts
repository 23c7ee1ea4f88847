/**
 * What a table puts on the wire, without its grouping: a struct has no mark of its own there, so its fields stand
 * where the struct does. Moving fields into a struct, or out of one, changes nothing.
 */
import type { DumpedDescription, DumpedField } from './dump.ts';

/** One run of bytes on the wire, or the place where the subsections of a nested struct may follow. */
export interface WireItem {
  /** Name without the structs around it. */
  readonly name: string;
  /** Name with them, for messages. */
  readonly path: string;
  /** Bytes of one element; 0 when only the device knows. */
  readonly size: number;
  /** Elements of this field and of the arrays around it; undefined when the dump does not tell (QEMU before 10). */
  readonly elements: number | undefined;
  /** First version with it, of the table whose version is on the wire; 0 inside of structs, which have none there. */
  readonly since: number;
  /** A condition of the device decides whether it is there. */
  readonly conditional: boolean;
  /** Set for the subsections of a nested struct. */
  readonly subsections?: readonly DumpedDescription[];
}

/** The wire items of a table or subsection, in order. */
export function wireItems(description: DumpedDescription): readonly WireItem[] {
  return (description.Fields ?? []).flatMap((field) =>
    itemsOf(field, { path: '', since: undefined, conditional: false, elements: 1 }),
  );
}

interface Around {
  readonly path: string;
  /** The outermost field's, once inside of one. */
  readonly since: number | undefined;
  readonly conditional: boolean;
  readonly elements: number | undefined;
}

function itemsOf(field: DumpedField, around: Around): WireItem[] {
  const path = around.path === '' ? field.field : `${around.path}.${field.field}`;
  const since = around.since ?? field.version_id;
  const conditional = around.conditional || field.field_exists;
  const elements = around.elements === undefined ? undefined : around.elements * (field.num ?? 1);
  const { Description: description } = field;
  if (description === undefined) return [{ name: field.field, path, size: field.size, elements, since, conditional }];
  const items = (description.Fields ?? []).flatMap((inner) => itemsOf(inner, { path, since, conditional, elements }));
  const { Subsections: subsections } = description;
  if (subsections === undefined) return items;
  return [...items, { name: description.name, path, size: 0, elements, since, conditional, subsections }];
}

/** Whether bytes mean nothing any more (QEMU's VMSTATE_UNUSED). */
export function isUnused(item: WireItem): boolean {
  return item.name.startsWith('unused') && item.subsections === undefined && item.size > 0;
}

/** All bytes of an item; undefined when the dump does not tell. */
export function bytesOf({ size, elements }: WireItem): number | undefined {
  return size === 0 || elements === undefined ? undefined : size * elements;
}
