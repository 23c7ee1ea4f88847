import type { DeviceType } from '@sterna/core';
import { DeviceHarness } from '../harness/device-harness.ts';
import { Random } from '../host/random.ts';
import { type Observation, observe } from '../snapshot/observe.ts';
import type { ConformanceOptions, Operation } from './options.ts';

const MICROSECOND = 1000;
const MILLISECOND = 1_000_000;
const SIZES = [1, 2, 4, 4, 4] as const;
const VALUES = [0, 1, 2, 3, 7, 8, 0x10, 0x40, 0xff, 0x100, 0x1000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff] as const;

/** Operations like those of a careless driver: registers in any order and size, time, and input. */
export async function randomOperations(type: DeviceType, options: ConformanceOptions): Promise<Operation[]> {
  const random = new Random(options.seed ?? 1);
  const { avoid = () => false } = options;
  await using harness = new DeviceHarness(type, options);
  const places = harness.device.mappings.flatMap(({ size }, region) =>
    Array.from({ length: Math.min(size, 256) }, (_, offset) => ({ offset, region })).filter(
      (place) => !avoid(place.offset, region),
    ),
  );
  const registers = registerPlaces(harness, places);
  const hasPeer = Object.hasOwn(type.descriptor.properties ?? {}, 'chardev');
  const operations = Array.from({ length: options.randomOperations ?? 40 }, (): Operation => {
    const kind = random.below(hasPeer ? 11 : 10);
    if (kind >= 10) return typing(random);
    if (kind >= 8 || places.length === 0) return waiting(random);
    const { offset, region } = random.pick(random.below(8) === 0 || registers.length === 0 ? places : registers);
    const size = offset % 4 === 0 ? random.pick(SIZES) : 1;
    const where = `0x${offset.toString(16)}${region > 0 ? ` of region ${region}` : ''}`;
    if (kind < 3) return { name: `read ${size} bytes at ${where}`, run: (h) => h.read(offset, size, region) };
    const value = random.below(3) === 0 ? random.u32() : random.pick(VALUES);
    return {
      name: `write 0x${value.toString(16)} (${size} bytes) at ${where}`,
      run: (h) => h.write(offset, value, size, region),
    };
  });
  const looks = registers.map(
    ({ offset, region }): Operation => ({
      name: `read 4 bytes at 0x${offset.toString(16)}${region > 0 ? ` of region ${region}` : ''}`,
      run: (h) => h.read(offset, 4, region),
    }),
  );
  return [...operations, ...looks];
}

interface Place {
  readonly offset: number;
  readonly region: number;
}

/** Where registers are: as declared, or at every word of the regions. */
function registerPlaces({ device }: DeviceHarness, places: readonly Place[]): readonly Place[] {
  const declared = device.type.descriptor.registers?.(device.state);
  if (declared === undefined) return places.filter(({ offset }) => offset % 4 === 0);
  const offsets = new Set(Object.values(declared).map(({ offset }) => offset));
  return places.filter(({ offset, region }) => region > 0 || offsets.has(offset));
}

function waiting(random: Random): Operation {
  const ns = random.pick([MICROSECOND, 50 * MICROSECOND, MILLISECOND, 20 * MILLISECOND, 1000 * MILLISECOND]);
  return { name: `${ns / MICROSECOND} us pass`, run: (h) => h.advance(ns) };
}

function typing(random: Random): Operation {
  const text = String.fromCharCode(33 + random.below(90)).repeat(1 + random.below(20));
  return { name: `type ${text.length} bytes`, run: (h) => h.type(text) };
}

/** What an operation answered, and what was to be seen after it. */
export interface Step {
  readonly answer: unknown;
  readonly seen: Observation;
}

/** Does operations one after the other. */
export function perform(harness: DeviceHarness, operations: readonly Operation[]): Step[] {
  return operations.map((operation) => {
    let answer: unknown;
    try {
      answer = operation.run(harness);
    } catch (error) {
      // A promise or an exception is an outcome like another: who calls decides whether it is one that may be.
      throw new OperationError(operation, error);
    }
    return { answer, seen: observe(harness) };
  });
}

/** A device threw at the guest. */
export class OperationError extends Error {
  readonly operation: Operation;

  constructor(operation: Operation, cause: unknown) {
    super(`'${operation.name}': ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.operation = operation;
  }
}
