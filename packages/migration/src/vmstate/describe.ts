/**
 * The vmdescription: JSON at the end of a stream that tells what each section
 * holds, in QEMU's spelling and key order (QEMU migration/vmstate.c, v10.0).
 */

/** One described field. */
export interface FieldDescription {
  name: string;
  /** Equal elements one behind the other, described once. */
  array_len?: number;
  /** Element of an array whose elements differ. */
  index?: number;
  type: string;
  struct?: StructDescription;
  /** Inline form of `tmp`. */
  vmsd_name?: string;
  version?: number;
  fields?: FieldDescription[];
  /** Bytes of one element. */
  size: number;
}

/** Fields of a section, nested struct or subsection. */
export interface StructDescription {
  vmsd_name: string;
  version: number;
  fields: FieldDescription[];
  subsections?: StructDescription[];
}

/** A section's description. */
export interface DeviceDescription extends StructDescription {
  name: string;
  instance_id: number;
}

/** The whole description. */
export interface VmDescription {
  configuration?: StructDescription | Record<string, never>;
  page_size: number;
  devices: DeviceDescription[];
}

/** Text as QEMU writes it: one line, a space behind every comma and colon. */
export function vmDescriptionJson(description: VmDescription): string {
  return text(description);
}

function text(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(text).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).filter(([, member]) => member !== undefined);
    return `{${members.map(([key, member]) => `${JSON.stringify(key)}: ${text(member)}`).join(', ')}}`;
  }
  return JSON.stringify(value);
}

/** Numbers repeated names, as the format wants names unique inside one object: `unused[0]`, `unused[1]`. */
export function uniqueNames(fields: readonly { readonly name: string }[]): readonly string[] {
  const total = new Map<string, number>();
  for (const { name } of fields) total.set(name, (total.get(name) ?? 0) + 1);
  const seen = new Map<string, number>();
  return fields.map(({ name }) => {
    if (total.get(name) === 1) return name;
    const at = seen.get(name) ?? 0;
    seen.set(name, at + 1);
    return `${name}[${at}]`;
  });
}
