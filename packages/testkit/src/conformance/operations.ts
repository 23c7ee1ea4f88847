import type { DeviceType } from '@sterna/core';
import { DeviceHarness } from '../harness/device-harness.ts';
import { Random } from '../host/random.ts';
import { type Observation, observe } from '../snapshot/observe.ts';
import type { ConformanceOptions, Operation, Subject } from './options.ts';

const MICROSECOND = 1000;
const MILLISECOND = 1_000_000;
/** Registers of which every value is tried. */
const MOST_REGISTERS = 24;
const SIZES = [1, 2, 4, 4, 4] as const;
const VALUES = [0, 1, 2, 3, 7, 8, 0x10, 0x40, 0xff, 0x100, 0x1000, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff] as const;

/** Operations like those of a careless driver: registers in any order and size, time, and input. */
export async function randomOperations(type: DeviceType, options: ConformanceOptions): Promise<Operation[]> {
  const random = new Random(options.seed ?? 1);
  const { places, registers } = await targetsOf(type, options);
  const hasPeer = Object.hasOwn(type.descriptor.properties ?? {}, 'chardev');
  const operations = Array.from({ length: options.randomOperations ?? 40 }, (): Operation => {
    const kind = random.below(hasPeer ? 11 : 10);
    if (kind >= 10) return typing(random);
    if (kind >= 8 || places.length === 0) return waiting(random);
    const { offset, region } = random.pick(random.below(8) === 0 || registers.length === 0 ? places : registers);
    const size = offset % 4 === 0 ? random.pick(SIZES) : 1;
    if (kind < 3) return reading({ offset, region }, size);
    return writing({ offset, region }, size, random.below(3) === 0 ? random.u32() : random.pick(VALUES));
  });
  const looks = registers.map((place) => reading(place, 4));
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

/** Accesses of any size to any byte of the regions, and time between them. */
export async function randomAccesses({ type, options }: Subject, random: Random, count: number): Promise<Operation[]> {
  const { places, registers } = await targetsOf(type, options);
  // Without registers all that can be done to it is to wait.
  const length = places.length === 0 ? Math.min(count, 10) : count;
  return Array.from({ length }, () => {
    if (places.length === 0 || random.below(12) === 0) return waiting(random);
    const place = random.pick(random.below(4) > 0 && registers.length > 0 ? registers : places);
    const size = place.offset % 4 === 0 ? random.pick(SIZES) : random.pick([1, 2, 4] as const);
    if (random.below(3) === 0) return reading(place, size);
    return writing(place, size, random.below(2) === 0 ? random.pick(VALUES) : random.u32());
  });
}

/** Every register gets every value that is often special: single bits and the ends of ranges. */
export async function allSpecialWrites({ type, options }: Subject): Promise<Operation[]> {
  const { registers } = await targetsOf(type, options);
  const values = [...new Set([...VALUES, ...Array.from({ length: 32 }, (_, bit) => 2 ** bit)])];
  return registers.slice(0, MOST_REGISTERS).flatMap((place) => values.map((value) => writing(place, 4, value)));
}

async function targetsOf(type: DeviceType, options: ConformanceOptions) {
  const { avoid = () => false } = options;
  await using harness = new DeviceHarness(type, options);
  const places = placesOf(harness, avoid);
  return { places, registers: registerPlaces(harness, places) };
}

function placesOf({ device }: DeviceHarness, avoid: (offset: number, region: number) => boolean): readonly Place[] {
  return device.mappings.flatMap(({ size }, region) =>
    Array.from({ length: Math.min(size, 256) }, (_, offset) => ({ offset, region })).filter(
      (place) => !avoid(place.offset, region),
    ),
  );
}

function reading({ offset, region }: Place, size: 1 | 2 | 4): Operation {
  return { name: `read ${size} bytes at ${placeName({ offset, region })}`, run: (h) => h.read(offset, size, region) };
}

function writing({ offset, region }: Place, size: 1 | 2 | 4, value: number): Operation {
  return {
    name: `write 0x${value.toString(16)} (${size} bytes) at ${placeName({ offset, region })}`,
    run: (h) => h.write(offset, value, size, region),
  };
}

function placeName({ offset, region }: Place): string {
  return `0x${offset.toString(16)}${region > 0 ? ` of region ${region}` : ''}`;
}

function waiting(random: Random): Operation {
  const ns = random.pick([MICROSECOND, 50 * MICROSECOND, MILLISECOND, 20 * MILLISECOND, 200 * MILLISECOND]);
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

/**
 * Does operations one after the other.
 *
 * @throws OperationError when the device throws: who calls decides whether it may
 */
export async function perform(harness: DeviceHarness, operations: readonly Operation[]): Promise<Step[]> {
  const steps: Step[] = [];
  for (const operation of operations) {
    let answer: unknown;
    try {
      answer = await operation.run(harness);
      await harness.settle();
    } catch (error) {
      throw new OperationError(operation, error);
    }
    steps.push({ answer, seen: observe(harness) });
  }
  return steps;
}

/** A device threw at the guest. */
export class OperationError extends Error {
  readonly operation: Operation;

  constructor(operation: Operation, cause: unknown) {
    super(`'${operation.name}': ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.operation = operation;
  }
}
