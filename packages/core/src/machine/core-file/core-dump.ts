import type { LinearRange } from '../../cpu/core-file.ts';
import { SternaError } from '../../errors.ts';
import type { Machine } from '../machine.ts';
import { type CoreSegment, coreFrame } from './elf-core.ts';

/** What a core file is made of: bytes to write one after the other, and ranges of physical memory between them. */
export interface CorePlan {
  readonly head: Uint8Array;
  /** Physical memory, in the order of the file. */
  readonly memory: readonly { readonly address: number; readonly length: number }[];
  readonly memorySize: number;
  readonly tail: Uint8Array;
}

/** Options of {@link planCoreDump}. */
export interface CoreDumpOptions {
  /** Memory is named by the linear addresses of the guest's page tables. */
  readonly paging?: boolean;
  /** Only this part of physical memory. */
  readonly range?: { readonly begin: number; readonly length: number } | undefined;
}

/** A range of RAM with its place in the file. */
interface Placed {
  readonly address: number;
  readonly length: number;
  readonly offset: number;
}

/**
 * Plans an ELF core file of a machine that stands still, as QEMU's `dump-guest-memory` writes it: a PT_NOTE with the
 * state of all vCPUs, and PT_LOADs for RAM and ROM.
 *
 * @throws SternaError `STERNA_ERR_UNSUPPORTED` when the vCPUs tell nothing for core files, or `STERNA_ERR_OPTION_VALUE` for
 * a range without memory
 */
export function planCoreDump(machine: Machine, { paging = false, range }: CoreDumpOptions = {}): CorePlan {
  const cores = machine.cpus.map(({ coreFile, index }) => {
    if (coreFile === undefined)
      throw new SternaError('STERNA_ERR_UNSUPPORTED', `vCPU ${index} is of a kind that has no form in core files`);
    return coreFile;
  });
  const memory = placeMemory(machine, range);
  if (memory.length === 0)
    throw new SternaError('STERNA_ERR_OPTION_VALUE', "Parameter 'begin' expects an address of the guest's memory");
  const isMemory = (address: number): boolean => machine.physical.find(address)?.region.kind === 'ram';
  const memorySize = memory.reduce((sum, { length }) => sum + length, 0);
  const segments =
    (paging
      ? linearSegments(
          cores.map((core) => core.mappings(isMemory)),
          memory,
        )
      : undefined) ?? physicalSegments(memory);
  // The first vCPU decides which form the file has.
  const { machine: form } = cores[0]!;
  const notes = cores.map((core) => core.notes(form));
  const all = [...notes.map(({ status }) => status), ...notes.map(({ full }) => full)];
  return { ...coreFrame(form, all, segments, memorySize), memory, memorySize };
}

/** RAM and ROM by physical address; pieces that touch and lie in one block are one. */
function placeMemory(machine: Machine, range: CoreDumpOptions['range']): Placed[] {
  const placed: Placed[] = [];
  let offset = 0;
  const begin = range?.begin ?? 0;
  const end = range === undefined ? Number.POSITIVE_INFINITY : begin + range.length;
  for (const flat of machine.physical.flat) {
    if (flat.region.kind !== 'ram') continue;
    const address = Math.max(flat.start, begin);
    const length = Math.min(flat.end, end) - address;
    if (length <= 0) continue;
    placed.push({ address, length, offset });
    offset += length;
  }
  return placed;
}

function physicalSegments(memory: readonly Placed[]): CoreSegment[] {
  return memory.map(({ address, length, offset }) => ({
    virtual: BigInt(address),
    physical: address,
    size: length,
    stored: length,
    offset,
  }));
}

/** What the vCPUs map, each mapping once; undefined when none of them uses paging. */
function linearSegments(
  maps: readonly (readonly LinearRange[] | undefined)[],
  memory: readonly Placed[],
): CoreSegment[] | undefined {
  const used = maps.filter((map) => map !== undefined);
  if (used.length === 0) return undefined;
  const seen = new Set<string>();
  const segments: CoreSegment[] = [];
  for (const { virtual, physical, length } of used.flat()) {
    const key = `${virtual}:${physical}:${length}`;
    if (seen.has(key)) continue;
    seen.add(key);
    const place = memory.find((part) => physical >= part.address && physical < part.address + part.length);
    segments.push({
      virtual,
      physical,
      size: length,
      // Beyond the end of the piece of memory the file has no bytes of it.
      stored: place === undefined ? 0 : Math.min(length, place.address + place.length - physical),
      offset: place === undefined ? undefined : place.offset + (physical - place.address),
    });
  }
  return segments;
}
