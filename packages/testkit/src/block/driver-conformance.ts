/** What must hold of every block driver: what was written is read, by now, by many at once, and by the next who opens it. */
import { type BlockDriverType, BlockError } from '@sterna/core';
import { type Check, ConformanceError } from '../conformance/options.ts';
import { Random } from '../host/random.ts';
import { DriverBench, type DriverBenchOptions } from './driver-bench.ts';

/** What the kit should know of a driver. */
export interface BlockDriverConformanceOptions extends DriverBenchOptions {
  /** What is written is there when the image is opened again. Default: true for drivers with a node below. */
  readonly persistent?: boolean;
  /** Seed of the random requests. Default: 1. */
  readonly seed?: number;
}

const REQUESTS = 200;

type DriverCheck = (type: BlockDriverType, options: BlockDriverConformanceOptions) => Promise<void>;

/** The checks of a block driver. */
export function blockDriverConformance(type: BlockDriverType, options: BlockDriverConformanceOptions = {}): Check[] {
  const { descriptor } = type;
  const hasChildren = descriptor.kind !== 'protocol';
  const persistent = options.persistent ?? hasChildren;
  const lasting = persistent ? undefined : 'the driver keeps nothing';
  const below = hasChildren ? undefined : 'the driver has no node below';
  const rows: readonly (readonly [string, DriverCheck, string | undefined])[] = [
    ['reads what was written', readsWhatWasWritten, undefined],
    ['serves many requests at once', servesMany, undefined],
    ['leaves the buffers of requests alone', leavesBuffers, undefined],
    ['what was written is there when it is opened again', lasts, lasting],
    ['gives an image up and takes it back', changesHands, lasting],
    ['passes errors on and works on after them', passesErrors, below],
    ['tells of its image', tells, undefined],
  ];
  return rows.map(([name, check, skipped]) => ({
    name,
    ...(skipped === undefined ? {} : { skipped }),
    run: () => check(type, options),
  }));
}

/** A driver with a model of what it should hold. */
async function withModel(type: BlockDriverType, options: BlockDriverConformanceOptions) {
  const bench = await DriverBench.open(type, options);
  const model = await readAll(bench);
  return { bench, model };
}

async function readAll(bench: DriverBench): Promise<Uint8Array> {
  const { length } = bench.driver;
  const all = new Uint8Array(length);
  const { most } = bench.limits;
  for (let at = 0; at < length; at += most) all.set(await bench.read(at, Math.min(most, length - at)), at);
  return all;
}

/** A range that a node would hand on: aligned, not too long, inside. */
function randomRange(bench: DriverBench, random: Random): readonly [offset: number, length: number] {
  const { granule, most } = bench.limits;
  const granules = Math.floor(bench.driver.length / granule);
  const at = random.below(granules);
  const count =
    1 + random.below(Math.max(1, Math.min(granules - at, Math.floor(most / granule), 1 + random.below(9000))));
  return [at * granule, Math.min(count, granules - at) * granule];
}

function randomBytes(random: Random, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = random.below(256);
  return bytes;
}

function compare(expected: Uint8Array, found: Uint8Array, origin: number, what: string): void {
  const at = expected.findIndex((byte, i) => byte !== found[i]);
  if (at >= 0)
    throw new ConformanceError(
      `${what}: byte ${origin + at} is 0x${found[at]?.toString(16)} instead of 0x${expected[at]!.toString(16)}`,
    );
}

async function change(bench: DriverBench, model: Uint8Array, random: Random): Promise<void> {
  const [offset, length] = randomRange(bench, random);
  if (bench.driver.write === undefined) return;
  if (random.below(5) === 0) {
    await bench.zero(offset, length);
    model.fill(0, offset, offset + length);
  } else {
    const bytes = randomBytes(random, length);
    await bench.driver.write(offset, bytes, {});
    model.set(bytes, offset);
  }
}

async function readsWhatWasWritten(type: BlockDriverType, options: BlockDriverConformanceOptions): Promise<void> {
  const { bench, model } = await withModel(type, options);
  const random = new Random(options.seed ?? 1);
  for (let i = 0; i < REQUESTS; i++) {
    await change(bench, model, random);
    const [offset, length] = randomRange(bench, random);
    compare(
      model.subarray(offset, offset + length),
      await bench.read(offset, length),
      offset,
      `reading ${length} bytes at ${offset} after ${i + 1} writes`,
    );
  }
  compare(model, await readAll(bench), 0, 'reading everything');
}

async function servesMany(type: BlockDriverType, options: BlockDriverConformanceOptions): Promise<void> {
  const { bench, model } = await withModel(type, options);
  const { granule, most } = bench.limits;
  const { write } = bench.driver;
  const random = new Random((options.seed ?? 1) + 1);
  const length = Math.max(granule, Math.min(most, Math.floor(model.length / 16 / granule) * granule));
  const places = Array.from({ length: Math.min(16, Math.floor(model.length / length)) }, (_, i) => i * length);
  await Promise.all(
    places.map(async (offset) => {
      const bytes = randomBytes(random, length);
      if (write !== undefined) {
        await bench.driver.write!(offset, bytes, {});
        model.set(bytes, offset);
      }
    }),
  );
  const read = await Promise.all(places.map((offset) => bench.read(offset, length)));
  for (const [i, offset] of places.entries())
    compare(model.subarray(offset, offset + length), read[i]!, offset, 'with 16 requests under way');
}

async function leavesBuffers(type: BlockDriverType, options: BlockDriverConformanceOptions): Promise<void> {
  const { bench } = await withModel(type, options);
  const { granule } = bench.limits;
  const bytes = randomBytes(new Random(3), granule * 4);
  const before = bytes.slice();
  await bench.driver.write?.(0, bytes, {});
  compare(before, bytes, 0, 'a write changes the buffer it was given');
}

async function lasts(type: BlockDriverType, options: BlockDriverConformanceOptions): Promise<void> {
  const { bench, model } = await withModel(type, options);
  const random = new Random((options.seed ?? 1) + 2);
  for (let i = 0; i < 20; i++) await change(bench, model, random);
  const again = await bench.reopen();
  if (again.driver.length !== model.length)
    throw new ConformanceError(`opened again the image has ${again.driver.length} bytes instead of ${model.length}`);
  compare(model, await readAll(again), 0, 'opened again');
}

/** As around a migration: another process has the image in between. */
async function changesHands(type: BlockDriverType, options: BlockDriverConformanceOptions): Promise<void> {
  const { bench, model } = await withModel(type, options);
  const random = new Random((options.seed ?? 1) + 3);
  for (let i = 0; i < 20; i++) await change(bench, model, random);
  await bench.driver.flush?.({});
  await bench.driver.inactivate?.();
  const other = await DriverBench.open(type, options, bench.children);
  compare(model, await readAll(other), 0, 'given up and opened by another');
  for (let i = 0; i < 20; i++) await change(other, model, random);
  await other.driver.flush?.({});
  await other.driver.inactivate?.();
  await bench.driver.activate?.();
  compare(model, await readAll(bench), 0, 'taken back after another has written (forget what is cached in activate)');
}

async function passesErrors(type: BlockDriverType, options: BlockDriverConformanceOptions): Promise<void> {
  const { bench, model } = await withModel(type, options);
  const { granule } = bench.limits;
  for (const child of bench.children.values()) {
    child.failNext('EIO');
    const error = await bench.read(0, granule).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (error !== undefined && !(error instanceof BlockError))
      throw new ConformanceError(
        `a failed read below ends in ${String(error)}: pass the BlockError on, with its errno`,
      );
    if (error === undefined) child.release();
  }
  compare(model.subarray(0, granule), await bench.read(0, granule), 0, 'after a failed request');
}

async function tells(type: BlockDriverType, options: BlockDriverConformanceOptions): Promise<void> {
  const { bench } = await withModel(type, options);
  const { length } = bench.driver;
  if (!Number.isSafeInteger(length) || length < 0) throw new ConformanceError(`its length is ${length}`);
  JSON.stringify(bench.driver.info());
  await bench.driver.close?.();
}
