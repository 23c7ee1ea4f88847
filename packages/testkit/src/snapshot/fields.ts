/** A device's state object as data, to be compared: what tells the name of a field that got lost. */

/** Values by path, such as `regs[3].count`. */
export type Fields = ReadonlyMap<string, unknown>;

const MAX_DEPTH = 4;
/** Elements of an array that are listed one by one; longer ones are summed up. */
const MAX_ELEMENTS = 64;

/**
 * Lists the plain values reachable from the object. Functions and private fields are not seen.
 *
 * @param others - objects that are not the device's: services that it holds
 */
export function fieldsOf(state: object, others: Iterable<object> = []): Fields {
  const fields = new Map<string, unknown>();
  const seen = new Set<object>(others);
  const visit = (value: unknown, path: string, depth: number): void => {
    if (typeof value === 'function') return;
    if (typeof value !== 'object' || value === null) {
      fields.set(path, value);
      return;
    }
    if (depth > MAX_DEPTH || seen.has(value)) return;
    seen.add(value);
    if (ArrayBuffer.isView(value) || Array.isArray(value)) {
      const array = value as unknown as ArrayLike<unknown>;
      if (array.length <= MAX_ELEMENTS)
        for (let i = 0; i < array.length; i++) visit(array[i], `${path}[${i}]`, depth + 1);
      else fields.set(path, digest(array));
      return;
    }
    for (const key of Object.keys(value))
      visit((value as Record<string, unknown>)[key], path === '' ? key : `${path}.${key}`, depth + 1);
  };
  visit(state, '', 0);
  return fields;
}

function digest(array: ArrayLike<unknown>): string {
  let hash = 0x811c_9dc5;
  for (let i = 0; i < array.length; i++) {
    const text = String(array[i]);
    for (let c = 0; c < text.length; c++) hash = Math.imul(hash ^ text.charCodeAt(c), 0x0100_0193);
  }
  return `${array.length} elements, hash ${(hash >>> 0).toString(16)}`;
}

/** Paths at which two states differ, with both values. */
export function changedFields(
  a: Fields,
  b: Fields,
): { readonly path: string; readonly a: unknown; readonly b: unknown }[] {
  return [...new Set([...a.keys(), ...b.keys()])]
    .filter((path) => !Object.is(a.get(path), b.get(path)))
    .map((path) => ({ path, a: a.get(path), b: b.get(path) }));
}

/** `head (5, after it 0), ctrl (1, after it 0)`. */
export function describeChanges(changes: ReturnType<typeof changedFields>, after: string): string {
  return changes
    .slice(0, 5)
    .map(({ path, a, b }) => `'${path}' (${String(a)}, ${after} ${String(b)})`)
    .join(', ');
}
