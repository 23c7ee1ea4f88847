import type { World, WorldName } from './world.ts';

/** A place in a unit's bytes that depends on where things are. */
export interface Fix {
  /** Offset in the unit. */
  readonly at: number;
  readonly bytes: 1 | 2 | 4 | 8;
  /** Label to refer to, or an absolute linear address. */
  readonly label?: number;
  readonly address?: number;
  readonly add?: number;
  /** Relative to the end of the unit. */
  readonly relative: boolean;
  /** The address is that of the writable second mapping of the code. */
  readonly alias?: boolean;
}

/** The smallest part of a program that can be left out: one instruction, or a few that belong together. */
export interface Unit {
  readonly bytes: readonly number[];
  readonly fixes?: readonly Fix[];
  /** Defined at the unit's first byte; stays when the unit is left out. */
  readonly label?: number;
  /** Offsets of instructions in the unit after the first. */
  readonly starts?: readonly number[];
  /** Starts at this offset in a page, jumping there if need be. */
  readonly pageOffset?: number;
}

/** Something that happens from outside at an exact instruction count. */
export interface Happening {
  readonly at: number;
  readonly what: 'irq' | 'nmi' | 'clean' | 'missing' | 'dma' | 'flush';
  /** Vector, or page number, or address for DMA. */
  readonly value: number;
}

/** A program with everything that its run depends on. */
export interface Program {
  readonly seed: number;
  readonly world: WorldName;
  readonly units: readonly Unit[];
  /** Offset of the first unit in the code area. */
  readonly offset: number;
  readonly happenings: readonly Happening[];
  /** Seed of registers and data. */
  readonly stateSeed: number;
  /** Words put into the data area: offset, and label or value. */
  readonly words: readonly { readonly at: number; readonly label?: number; readonly value?: number }[];
  /** Label to go on at after a lost jump. */
  readonly resumeLabel: number;
  /** Most instructions to execute. */
  readonly limit: number;
}

/** A program as bytes. */
export interface Linked {
  readonly code: Uint8Array;
  /** Offsets at which instructions begin, ascending. */
  readonly starts: readonly number[];
  readonly labels: ReadonlyMap<number, number>;
  /** First and last + 1 offsets of what the units take. */
  readonly ranges: readonly (readonly [number, number])[];
  readonly end: number;
}

/** Places the units one after the other and resolves labels. Offsets in the result are relative to the code area. */
export function link(program: Program, w: World): Linked {
  const code = new Uint8Array(w.codeSize).fill(0xcc);
  const view = new DataView(code.buffer);
  const labels = new Map<number, number>();
  const places: number[] = [];
  const starts: number[] = [];
  const ranges: [number, number][] = [];
  let at = program.offset;
  for (const unit of program.units) {
    if (unit.pageOffset !== undefined && unit.bytes.length > 0) {
      const target = at + ((unit.pageOffset - at - 5) & 0xfff) + 5;
      if (target + 64 < w.codeSize) {
        starts.push(at);
        ranges.push([at, at + 5]);
        code[at] = 0xe9;
        // a 16-bit jump has a shorter displacement
        if (w.bits === 16) view.setInt16(at + 1, target - at - 3, true);
        else view.setInt32(at + 1, target - at - 5, true);
        at = target;
      }
    }
    if (unit.label !== undefined) labels.set(unit.label, at);
    places.push(at);
    if (at + unit.bytes.length > w.codeSize - 32) continue;
    code.set(unit.bytes, at);
    if (unit.bytes.length > 0) starts.push(at, ...(unit.starts ?? []).map((s) => at + s));
    ranges.push([at, at + unit.bytes.length]);
    at += unit.bytes.length;
  }
  program.units.forEach((unit, i) => {
    const place = places[i]!;
    if (place + unit.bytes.length > w.codeSize - 32) return;
    for (const fix of unit.fixes ?? []) {
      const base = fix.alias ? w.codeAlias : w.code;
      const target = (fix.label === undefined ? fix.address! : base + (labels.get(fix.label) ?? 0)) + (fix.add ?? 0);
      const value = fix.relative ? target - (w.code + place + unit.bytes.length) : target;
      const offset = place + fix.at;
      if (fix.bytes === 1) view.setInt8(offset, value);
      else if (fix.bytes === 2) view.setInt16(offset, value, true);
      else if (fix.bytes === 4) view.setInt32(offset, value | 0, true);
      else view.setBigInt64(offset, BigInt(value), true);
    }
  });
  return { code, starts, labels, ranges, end: at };
}

/** For each code offset the offset of the next instruction after it: where a handler goes on after a fault. */
export function nextTable(linked: Linked, size: number): Uint16Array {
  const table = new Uint16Array(size);
  let next = linked.end;
  let i = linked.starts.length - 1;
  for (let at = size - 1; at >= 0; at--) {
    table[at] = next;
    if (i >= 0 && linked.starts[i] === at) {
      next = at;
      while (i >= 0 && linked.starts[i]! >= at) i--;
    }
  }
  return table;
}
