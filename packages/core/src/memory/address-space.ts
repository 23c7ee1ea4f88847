import type { RegionOps } from '../device/region.ts';
import type { RamBlock } from './ram-block.ts';

/** A node of a memory map: RAM, ROM (readable RAM), device registers or an alias of a part of another. */
export type MemoryRegion =
  | {
      readonly kind: 'ram';
      readonly name: string;
      readonly block: RamBlock;
      readonly offset: number;
      readonly size: number;
      readonly readonly?: boolean;
    }
  | { readonly kind: 'mmio'; readonly name: string; readonly size: number; readonly ops: RegionOps };

/** A region mapped somewhere. Where regions overlap the higher priority wins, as in QEMU. */
export interface Mapping {
  readonly base: number;
  readonly region: MemoryRegion;
  readonly priority: number;
}

/** The bytes of one region that are visible at one place after overlaps are resolved. */
export interface FlatRange {
  readonly start: number;
  /** First address after the range. */
  readonly end: number;
  readonly region: MemoryRegion;
  /** Offset of `start` inside the region. */
  readonly offset: number;
}

/** Physical memory: mappings flattened to non-overlapping ranges, sorted by address. */
export class AddressSpace {
  readonly name: string;
  readonly #mappings: Mapping[] = [];
  #flat: readonly FlatRange[] | undefined;
  readonly #listeners: (() => void)[] = [];

  constructor(name: string) {
    this.name = name;
  }

  /**
   * Maps a region; dispose of the result to unmap.
   *
   * @throws RangeError when a region of the same priority is already there.
   */
  map(base: number, region: MemoryRegion, priority = 0): Disposable {
    const clash = this.#mappings.find(
      (m) => m.priority === priority && base < m.base + m.region.size && m.base < base + region.size,
    );
    if (clash !== undefined) {
      throw new RangeError(
        `${region.name} at 0x${base.toString(16)} overlaps ${clash.region.name} at 0x${clash.base.toString(16)} in ${this.name}`,
      );
    }
    const mapping = { base, region, priority };
    this.#mappings.push(mapping);
    this.#changed();
    return {
      [Symbol.dispose]: () => {
        const index = this.#mappings.indexOf(mapping);
        if (index >= 0) this.#mappings.splice(index, 1);
        this.#changed();
      },
    };
  }

  /** Calls `listener` after every change of the map. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  #changed(): void {
    this.#flat = undefined;
    for (const listener of this.#listeners) listener();
  }

  /** The resolved map. */
  get flat(): readonly FlatRange[] {
    this.#flat ??= flatten(this.#mappings);
    return this.#flat;
  }

  /** The range that holds `address`, or undefined when nothing is mapped there. */
  find(address: number): FlatRange | undefined {
    const flat = this.flat;
    let low = 0;
    let high = flat.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const range = flat[middle]!;
      if (address < range.start) high = middle - 1;
      else if (address >= range.end) low = middle + 1;
      else return range;
    }
    return undefined;
  }
}

function flatten(mappings: readonly Mapping[]): FlatRange[] {
  // Low priorities first, so that later ones cut holes into what is there; equal priorities never overlap.
  let flat: FlatRange[] = [];
  for (const { base, region } of [...mappings].sort((a, b) => a.priority - b.priority)) {
    const end = base + region.size;
    const next: FlatRange[] = [];
    for (const range of flat) {
      if (range.end <= base || range.start >= end) {
        next.push(range);
        continue;
      }
      if (range.start < base) next.push({ ...range, end: base });
      if (range.end > end) next.push({ ...range, start: end, offset: range.offset + (end - range.start) });
    }
    next.push({ start: base, end, region, offset: 0 });
    flat = next;
  }
  return flat.sort((a, b) => a.start - b.start);
}
