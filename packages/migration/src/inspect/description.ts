import { SECTION } from '../stream/constants.ts';
import type { VmDescription } from '../vmstate/describe.ts';
import type { ByteSource } from './source.ts';

/** Longest description that is looked for. */
const MOST = 16 * 2 ** 20;

/** A description and its first byte, the marker. */
export interface FoundDescription {
  readonly offset: number;
  readonly description: VmDescription;
}

/** Finds the description at the end of a stream; undefined when there is none. */
export function findDescription(source: ByteSource): FoundDescription | undefined {
  const base = Math.max(0, source.size - MOST);
  const tail = source.read(base, source.size - base).slice();
  const view = new DataView(tail.buffer, tail.byteOffset, tail.byteLength);
  for (
    let at = tail.lastIndexOf(SECTION.vmdescription);
    at >= 0;
    at = at === 0 ? -1 : tail.lastIndexOf(SECTION.vmdescription, at - 1)
  ) {
    if (tail.length - at < 6 || tail[at + 5] !== 0x7b) continue;
    const length = view.getUint32(at + 1);
    if (length > tail.length - at - 5) continue;
    const description = parseDescription(tail.subarray(at + 5, at + 5 + length));
    if (description !== undefined) return { offset: base + at, description };
  }
  return undefined;
}

/** Reads a description; undefined when it is not one. */
export function parseDescription(json: Uint8Array): VmDescription | undefined {
  try {
    const value = JSON.parse(new TextDecoder().decode(json)) as Partial<VmDescription> | null;
    return Array.isArray(value?.devices) && value.devices.every(isStruct) ? (value as VmDescription) : undefined;
  } catch {
    return undefined;
  }
}

/** Whether everything has the form that decoding relies on: the text may be anybody's. */
function isStruct(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const { fields, subsections = [] } = value as { readonly fields?: unknown; readonly subsections?: unknown };
  return Array.isArray(fields) && fields.every(isField) && Array.isArray(subsections) && subsections.every(isStruct);
}

function isField(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  const field = value as Readonly<Record<string, unknown>>;
  return (
    typeof field['name'] === 'string' &&
    typeof field['type'] === 'string' &&
    isCount(field['size']) &&
    (field['array_len'] === undefined || isCount(field['array_len'])) &&
    (field['struct'] === undefined || isStruct(field['struct'])) &&
    (field['fields'] === undefined || (Array.isArray(field['fields']) && field['fields'].every(isField)))
  );
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
