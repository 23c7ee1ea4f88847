import { ascii, u16, u32 } from './bytes.ts';

/**
 * A builder for ACPI machine language: every function gives the bytes of one term.
 *
 * @see ACPI 6.1 §20 (AML encoding)
 */
export type Aml = readonly number[];

const ZERO_OP = 0x00;
const ONE_OP = 0x01;
const NAME_OP = 0x08;
const BYTE_PREFIX = 0x0a;
const WORD_PREFIX = 0x0b;
const DWORD_PREFIX = 0x0c;
const STRING_PREFIX = 0x0d;
const SCOPE_OP = 0x10;
const BUFFER_OP = 0x11;
const PACKAGE_OP = 0x12;
const METHOD_OP = 0x14;
const EXT_OP = 0x5b;
const REGION_OP = 0x80;
const FIELD_OP = 0x81;
const DEVICE_OP = 0x82;
const LOCAL0_OP = 0x60;
const STORE_OP = 0x70;
const AND_OP = 0x7b;
const NOTIFY_OP = 0x86;
const EQUAL_OP = 0x93;
const IF_OP = 0xa0;
const NULL_NAME = 0x00;
const ROOT_CHAR = 0x5c;

/** Prepends the package length, which counts its own bytes (ACPI 6.1 §20.2.4). */
function pack(body: Aml): number[] {
  if (body.length + 1 <= 0x3f) return [body.length + 1, ...body];
  for (const extra of [1, 2, 3]) {
    const length = body.length + 1 + extra;
    if (length >= 2 ** (4 + 8 * extra)) continue;
    const lead = (extra << 6) | (length & 0xf);
    return [lead, ...u32(length >>> 4).slice(0, extra), ...body];
  }
  throw new RangeError(`AML package of ${body.length} bytes exceeds 2^28`);
}

/** A name segment of up to four characters. */
export function nameSegment(name: string): Aml {
  return ascii(name, 4, '_');
}

/** The shortest encoding of an integer up to 32 bits. */
export function integer(value: number): Aml {
  if (value === 0) return [ZERO_OP];
  if (value === 1) return [ONE_OP];
  if (value <= 0xff) return [BYTE_PREFIX, value];
  if (value <= 0xffff) return [WORD_PREFIX, ...u16(value)];
  return [DWORD_PREFIX, ...u32(value)];
}

export function string(text: string): Aml {
  return [STRING_PREFIX, ...ascii(text, text.length), 0];
}

/** A compressed EISA id such as `PNP0501`. */
export function eisaId(id: string): Aml {
  const letter = (index: number) => id.charCodeAt(index) - 0x40;
  const vendor = (letter(0) << 10) | (letter(1) << 5) | letter(2);
  const product = Number.parseInt(id.slice(3), 16);
  return [DWORD_PREFIX, vendor >> 8, vendor & 0xff, product >> 8, product & 0xff];
}

/** Name (NAME, value). */
export function named(name: string, value: Aml): Aml {
  return [NAME_OP, ...nameSegment(name), ...value];
}

/** Scope (NAME) {...}; the empty name is the root. */
export function scope(name: string, ...terms: readonly Aml[]): Aml {
  const path = name === '' ? [ROOT_CHAR, NULL_NAME] : nameSegment(name);
  return [SCOPE_OP, ...pack([...path, ...terms.flat()])];
}

export function device(name: string, ...terms: readonly Aml[]): Aml {
  return [EXT_OP, DEVICE_OP, ...pack([...nameSegment(name), ...terms.flat()])];
}

/** Method (NAME, argument count, Serialized) {...}. */
export function serializedMethod(name: string, argumentCount: number, ...terms: readonly Aml[]): Aml {
  return [METHOD_OP, ...pack([...nameSegment(name), argumentCount | 0x08, ...terms.flat()])];
}

export function packageOf(...elements: readonly Aml[]): Aml {
  return [PACKAGE_OP, ...pack([elements.length, ...elements.flat()])];
}

/** A resource template: the descriptors in a buffer, closed by an end tag without checksum. */
export function resourceTemplate(...descriptors: readonly Aml[]): Aml {
  const bytes = [...descriptors.flat(), 0x79, 0x00];
  return [BUFFER_OP, ...pack([...integer(bytes.length), ...bytes])];
}

/** OperationRegion (NAME, SystemMemory, address, length). */
export function memoryRegion(name: string, address: number, length: number): Aml {
  return [EXT_OP, REGION_OP, ...nameSegment(name), 0x00, ...integer(address), ...integer(length)];
}

/** Field (REGION, DWordAcc, NoLock, WriteAsZeros) { UNIT, bits }. */
export function dwordField(region: string, unit: string, bits: number): Aml {
  const flags = 0x03 | (2 << 5);
  return [EXT_OP, FIELD_OP, ...pack([...nameSegment(region), flags, ...nameSegment(unit), bits])];
}

export const local0: Aml = [LOCAL0_OP];

export function store(source: Aml, target: Aml): Aml {
  return [STORE_OP, ...source, ...target];
}

/** And (a, b) without a target. */
export function and(a: Aml, b: Aml): Aml {
  return [AND_OP, ...a, ...b, NULL_NAME];
}

export function equal(a: Aml, b: Aml): Aml {
  return [EQUAL_OP, ...a, ...b];
}

export function ifThen(condition: Aml, ...terms: readonly Aml[]): Aml {
  return [IF_OP, ...pack([...condition, ...terms.flat()])];
}

export function notify(name: string, value: number): Aml {
  return [NOTIFY_OP, ...nameSegment(name), ...integer(value)];
}

/** Fixed I/O ports, 16-bit decode (ACPI 6.1 §6.4.2.5). */
export function ioPorts(base: number, alignment: number, length: number): Aml {
  return [0x47, 0x01, ...u16(base), ...u16(base), alignment, length];
}

/** ISA interrupts without flags: edge, active high, exclusive (ACPI 6.1 §6.4.2.1). */
export function isaIrq(irq: number): Aml {
  return [0x22, ...u16(1 << irq)];
}

/** An ISA interrupt as level, active low, shared. */
export function sharedIsaIrq(irq: number): Aml {
  return [0x23, ...u16(1 << irq), 0x18];
}

/** Writable 32-bit fixed memory (ACPI 6.1 §6.4.3.4). */
export function fixedMemory(base: number, length: number): Aml {
  return [0x86, ...u16(9), 0x01, ...u32(base), ...u32(length)];
}

/** One interrupt consumed exclusively, active high (ACPI 6.1 §6.4.3.6). */
export function interrupt(gsi: number, trigger: 'edge' | 'level'): Aml {
  return [0x89, ...u16(6), trigger === 'edge' ? 0x03 : 0x01, 0x01, ...u32(gsi)];
}
