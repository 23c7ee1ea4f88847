import {
  type ResolvedVmState,
  resolveVmState,
  VM_SCALAR_SIZE,
  type VmField,
  type VmScalarType,
  type VmStateTable,
} from '@sterna/core';

/**
 * A second, small vmstate codec for tests: written from the format's description,
 * so that a mistake in the real one and a mistake in a table cannot hide each other.
 */

const SUBSECTION = 0x05;

class Writer {
  readonly bytes: number[] = [];

  int(value: bigint, size: number): void {
    for (let i = size - 1; i >= 0; i--) this.bytes.push(Number((value >> BigInt(8 * i)) & 0xffn));
  }
}

class Reader {
  at = 0;
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  int(size: number): bigint {
    let value = 0n;
    for (let i = 0; i < size; i++) value = (value << 8n) | BigInt(this.byte());
    return value;
  }

  byte(): number {
    const byte = this.bytes[this.at++];
    if (byte === undefined) throw new RangeError('stream ends inside a section');
    return byte;
  }
}

function countOf(field: { count?: number | ((dev: object) => number) }, dev: object): number {
  if (field.count === undefined) return 1;
  return typeof field.count === 'number' ? field.count : field.count(dev);
}

function onWire(field: VmField, dev: object, version: number): boolean {
  return field.when === undefined ? field.since <= version : field.when(dev, version);
}

function toJs(raw: bigint, type: VmScalarType): number | bigint | boolean {
  if (type === 'bool') return raw !== 0n;
  const size = VM_SCALAR_SIZE[type];
  const value = type.startsWith('i') || type === 'timer' ? BigInt.asIntN(8 * size, raw) : raw;
  return size === 8 ? value : Number(value);
}

function saveBody(state: ResolvedVmState, dev: object, out: Writer): void {
  state.table.preSave?.(dev);
  for (const field of state.fields) {
    if (!onWire(field, dev, state.version)) continue;
    switch (field.kind) {
      case 'scalar':
        for (let i = 0; i < countOf(field, dev); i++) out.int(BigInt(field.get(dev, i)), VM_SCALAR_SIZE[field.type]);
        break;
      case 'buffer':
        out.bytes.push(...field.bytes(dev));
        break;
      case 'unused':
        for (let i = 0; i < field.size; i++) out.bytes.push(0);
        break;
      case 'struct':
        for (let i = 0; i < countOf(field, dev); i++) saveBody(resolveVmState(field.table), field.at(dev, i), out);
        break;
      case 'tmp':
        saveBody(resolveVmState(field.table), dev, out);
        break;
      default:
        throw new TypeError(`test codec has no field kind ${field.kind}`);
    }
  }
  for (const part of state.subsections) {
    if (!part.needed(dev)) continue;
    out.bytes.push(SUBSECTION, part.name.length, ...new TextEncoder().encode(part.name));
    out.int(BigInt(part.version), 4);
    saveBody(part, dev, out);
  }
}

function loadBody(state: ResolvedVmState, dev: object, input: Reader, version: number): void {
  state.table.preLoad?.(dev);
  for (const field of state.fields) {
    if (!onWire(field, dev, version)) continue;
    switch (field.kind) {
      case 'scalar':
        for (let i = 0; i < countOf(field, dev); i++) {
          field.set(dev, toJs(input.int(VM_SCALAR_SIZE[field.type]), field.type), i);
        }
        break;
      case 'buffer': {
        const bytes = field.bytes(dev);
        for (let i = 0; i < bytes.length; i++) bytes[i] = input.byte();
        field.store?.(dev, bytes);
        break;
      }
      case 'unused':
        for (let i = 0; i < field.size; i++) input.byte();
        break;
      case 'struct':
        for (let i = 0; i < countOf(field, dev); i++) {
          const table = resolveVmState(field.table);
          loadBody(table, field.at(dev, i), input, table.version);
        }
        break;
      case 'tmp':
        loadBody(resolveVmState(field.table), dev, input, version);
        break;
      default:
        throw new TypeError(`test codec has no field kind ${field.kind}`);
    }
  }
  while (input.at < input.bytes.length && input.bytes[input.at] === SUBSECTION) {
    const length = input.bytes[input.at + 1] ?? 0;
    const name = new TextDecoder().decode(input.bytes.subarray(input.at + 2, input.at + 2 + length));
    const part = state.subsections.find((candidate) => candidate.name === name);
    if (part === undefined) break;
    input.at += 2 + length;
    loadBody(part, dev, input, Number(input.int(4)));
  }
  state.table.postLoad?.(dev, version);
}

/** The section's payload. */
export function saveState<D extends object>(table: VmStateTable<D>, dev: D): Uint8Array {
  const out = new Writer();
  saveBody(resolveVmState(table), dev, out);
  return Uint8Array.from(out.bytes);
}

/** Loads a payload; throws RangeError when it is too short, too long or refused. */
export function loadState<D extends object>(
  table: VmStateTable<D>,
  dev: D,
  payload: Uint8Array,
  version = table.version,
): void {
  const input = new Reader(payload);
  loadBody(resolveVmState(table), dev, input, version);
  if (input.at !== payload.length) throw new RangeError(`${payload.length - input.at} bytes left over`);
}
