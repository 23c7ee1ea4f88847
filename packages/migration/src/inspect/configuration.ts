/** The configuration section for people. */
import { StreamError } from '../errors.ts';
import { SECTION } from '../stream/constants.ts';
import { ByteCursor } from '../stream/cursor.ts';
import { latin1 } from '../stream/reader.ts';
import type { ConfigurationPart } from './items.ts';
import type { SourceCursor } from './source.ts';

/** Longest name of a machine that is believed. */
const MAX_NAME = 255;

/** Reads the section behind its type byte. @throws StreamError for a subsection whose length is not known */
export function readConfigurationParts(cursor: SourceCursor): { machine: string; parts: ConfigurationPart[] } {
  const { offset } = cursor;
  const length = cursor.u32();
  if (length > MAX_NAME)
    throw new StreamError(`a machine name of ${length} bytes`, { section: 'configuration', offset });
  const machine = latin1(cursor.bytes(length));
  const parts: ConfigurationPart[] = [];
  while (cursor.peek() === SECTION.subsection) {
    cursor.skip(1);
    const name = cursor.countedString();
    const version = cursor.u32();
    const start = cursor.offset;
    skipBody(cursor, name);
    const bodyLength = cursor.offset - start;
    cursor.offset = start;
    const body = cursor.bytes(bodyLength);
    parts.push({ name, version, offset: start, body, meaning: meaning(name, body) });
  }
  return { machine, parts };
}

/** Names of the capabilities that a configuration lists. */
export function listedCapabilities(parts: readonly ConfigurationPart[]): readonly string[] {
  const part = parts.find(({ name }) => name === 'configuration/capabilities');
  if (part === undefined) return [];
  const cursor = new ByteCursor(part.body);
  return Array.from({ length: cursor.u32() }, () => cursor.countedString());
}

function skipBody(cursor: SourceCursor, name: string): void {
  switch (name) {
    case 'configuration/target-page-bits':
      cursor.skip(4);
      return;
    case 'configuration/uuid':
      cursor.skip(16);
      return;
    case 'configuration/capabilities':
      for (let left = cursor.u32(); left > 0; left--) cursor.countedString();
      return;
    default:
      throw new StreamError(`subsection '${name}' is not known`, { section: 'configuration', offset: cursor.offset });
  }
}

function meaning(name: string, body: Uint8Array): string {
  if (name === 'configuration/target-page-bits') return `pages of 2^${new ByteCursor(body).u32()} bytes`;
  if (name === 'configuration/capabilities') {
    const cursor = new ByteCursor(body);
    return Array.from({ length: cursor.u32() }, () => cursor.countedString()).join(', ');
  }
  const hex = [...body].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
