import { SternaError } from '@sterna/core';
import type { DumpedDescription, DumpedDevice, DumpedField, VmStateDump } from './dump.ts';

/** Deepest nesting of structs and subsections that is read. */
const MAX_DEPTH = 64;

/**
 * Reads a dump of ours or of any QEMU.
 *
 * @param source where the text is from, for messages
 * @throws SternaError `STERNA_ERR_IMAGE_FORMAT` naming the place that is not as it should be
 */
export function parseVmStateDump(text: string, source: string): VmStateDump {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw wrong(source, `it is no JSON: ${(cause as Error).message}`, cause);
  }
  const root = record(value, source, 'the dump');
  const machine = root['vmschkmachine'];
  if (machine === undefined) throw wrong(source, "'vmschkmachine' is missing: is this from -dump-vmstate?");
  const devices = Object.entries(root)
    .filter(([type]) => type !== 'vmschkmachine')
    .map(([type, device]) => [type, readDevice(record(device, source, type), type, source)] as const);
  const name = text255(record(machine, source, 'vmschkmachine'), 'Name', source);
  return { vmschkmachine: { Name: name }, ...Object.fromEntries(devices) };
}

type Json = Readonly<Record<string, unknown>>;

function readDevice(device: Json, type: string, source: string): DumpedDevice {
  const versions = readVersions(device, source, type);
  // QEMU leaves the description out of a type whose table is empty.
  const description = device['Description'] ?? { name: type, ...versions };
  return {
    Name: text255(device, 'Name', source, type),
    ...versions,
    Description: readDescription(record(description, source, type), source, type, 0),
  };
}

function readDescription(description: Json, source: string, path: string, depth: number): DumpedDescription {
  if (depth > MAX_DEPTH) throw wrong(source, `${path} is nested more than ${MAX_DEPTH} deep`);
  const name = text255(description, 'name', source, path);
  const place = `${path}/${name}`;
  const fields = list(description, 'Fields', source, place).map((field, i) =>
    readField(record(field, source, `${place} field ${i}`), source, place, depth),
  );
  const subsections = list(description, 'Subsections', source, place).map((subsection, i) =>
    readDescription(record(subsection, source, `${place} subsection ${i}`), source, place, depth + 1),
  );
  return {
    name,
    ...readVersions(description, source, place),
    ...(fields.length === 0 ? {} : { Fields: fields }),
    ...(subsections.length === 0 ? {} : { Subsections: subsections }),
  };
}

function readField(field: Json, source: string, path: string, depth: number): DumpedField {
  const name = text255(field, 'field', source, path);
  const place = `${path}.${name}`;
  const { num, Description: description } = field;
  return {
    field: name,
    version_id: count(field, 'version_id', source, place),
    field_exists: field['field_exists'] === true,
    ...(num === undefined ? {} : { num: count(field, 'num', source, place) }),
    size: count(field, 'size', source, place),
    ...(description === undefined
      ? {}
      : { Description: readDescription(record(description, source, place), source, place, depth + 1) }),
  };
}

function readVersions(of: Json, source: string, path: string) {
  return {
    version_id: count(of, 'version_id', source, path),
    minimum_version_id: count(of, 'minimum_version_id', source, path),
  };
}

function record(value: unknown, source: string, path: string): Json {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Json;
  throw wrong(source, `${path} is no object`);
}

function list(of: Json, key: string, source: string, path: string): readonly unknown[] {
  const value = of[key] ?? [];
  if (Array.isArray(value)) return value;
  throw wrong(source, `${key} of ${path} is no list`);
}

function text255(of: Json, key: string, source: string, path = 'vmschkmachine'): string {
  const value = of[key];
  if (typeof value === 'string' && value.length > 0 && value.length <= 255) return value;
  throw wrong(source, `${key} of ${path} is no name`);
}

function count(of: Json, key: string, source: string, path: string): number {
  const value = of[key];
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw wrong(source, `${key} of ${path} is no count`);
}

function wrong(source: string, what: string, cause?: unknown): SternaError {
  return new SternaError('STERNA_ERR_IMAGE_FORMAT', `${source}: ${what}`, cause === undefined ? {} : { cause });
}
