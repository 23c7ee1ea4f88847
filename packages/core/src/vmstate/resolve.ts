/** Tables with their fields built and their rules checked, once for each table. */
import { fieldBuilder } from './builder.ts';
import type { VmField } from './field.ts';
import type { VmStateBody, VmStateTable } from './table.ts';

/** A table or subsection ready for the codec: fields built, defaults applied, device type erased. */
export interface ResolvedVmState {
  readonly name: string;
  readonly version: number;
  readonly minimumVersion: number;
  readonly fields: readonly VmField[];
  readonly subsections: readonly ResolvedVmSubsection[];
  /** The author's table, for its hooks. */
  readonly table: VmStateBody<object>;
}

/** A resolved subsection. */
export interface ResolvedVmSubsection extends ResolvedVmState {
  readonly needed: (dev: object) => boolean;
}

const resolved = new WeakMap<object, ResolvedVmState>();

/**
 * Builds a table's fields and checks its own rules. The same table gives the same object.
 *
 * @throws TypeError when the table breaks a rule of the format: a name over 255 bytes, a subsection
 *   not named after its parent, a version range that is upside down, a field newer than its table.
 */
export function resolveVmState<D>(table: VmStateTable<D>): ResolvedVmState {
  const known = resolved.get(table);
  if (known !== undefined) return known;
  // The codec hands each table only the device it was declared with.
  const made = resolveBody(table as unknown as VmStateBody<object>);
  resolved.set(table, made);
  return made;
}

function resolveBody(table: VmStateBody<object>): ResolvedVmState {
  const { name, version, minimumVersion = version } = table;
  const fields = table.fields?.(fieldBuilder<object>()) ?? [];
  check(new TextEncoder().encode(name).length <= 255, `vmstate name "${name}" is longer than 255 bytes`);
  check(minimumVersion <= version, `vmstate ${name}: minimumVersion ${minimumVersion} is above version ${version}`);
  for (const field of fields) {
    check(
      field.since <= version,
      `vmstate ${name}: field ${field.name} is since ${field.since}, the table ends at ${version}`,
    );
  }
  const subsections = (table.subsections ?? []).map((subsection): ResolvedVmSubsection => {
    const body = resolveBody(subsection);
    check(
      body.name.startsWith(name) && body.name.length > name.length,
      `vmstate ${name}: subsection ${body.name} must start with its parent's name`,
    );
    check(body.version <= 255, `vmstate ${body.name}: a subsection's version must fit 8 bits`);
    return { ...body, needed: (dev) => subsection.needed(dev) };
  });
  return { name, version, minimumVersion, fields, subsections, table };
}

function check(ok: boolean, message: string): void {
  if (!ok) throw new TypeError(message);
}
