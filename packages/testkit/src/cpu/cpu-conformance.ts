/** What must hold of every processor: slices that nobody notices, a state that moves, code that cannot break it. */
import type { CpuType } from '@sterna/core';
import { type Check, ConformanceError } from '../conformance/options.ts';
import { Random } from '../host/random.ts';
import { differenceOf, loadDevice, type SavedDevice, saveDevice } from '../snapshot/device-stream.ts';
import { CpuBench, type CpuBenchOptions } from './cpu-bench.ts';

/** What the kit should know of a processor. */
export interface CpuConformanceOptions extends CpuBenchOptions {
  /** Instructions of the program that are run. Default: 2000. */
  readonly steps?: number;
  /** Seed of random programs. Default: 1. */
  readonly seed?: number;
}

/** Migrations, spread over the program. */
const MOVES = 40;
/** Programs of random bytes, and how long each is run. */
const RANDOM_PROGRAMS = 40;
const RANDOM_STEPS = 400;
const FLIPS = 100;

/** The checks of a processor, in the order in which their findings help most. */
export function cpuConformance(type: CpuType, options: CpuConformanceOptions): Check[] {
  const rows: readonly (readonly [string, (type: CpuType, options: CpuConformanceOptions) => Promise<void>])[] = [
    ['runs no further than its budget', keepsBudget],
    ['slices of any length give the same', slicesAlike],
    ['code of any bytes runs or stops, and does not throw', survivesCode],
    ['is deterministic', isDeterministic],
    ['reset is complete', resetIsComplete],
    ['registers can be read and written', registersWork],
    ['save, load, save gives the same bytes', saveLoadSave],
    ['migrates between any two instructions', migratesAnywhere],
    ['distrusts the stream', distrustsStream],
  ];
  return rows.map(([name, check]) => ({ name, run: () => check(type, options) }));
}

const stepsOf = ({ steps = 2000 }: CpuConformanceOptions): number => steps;

/** The first thing in which two processors differ, as a sentence. */
function difference(a: CpuBench, b: CpuBench): string | undefined {
  const there = b.registers();
  for (const [name, value] of a.registers())
    if (there.get(name) !== value) return `register ${name} is 0x${value.toString(16)}, there ${hex(there.get(name))}`;
  const at = a.ram.findIndex((byte, i) => byte !== b.ram[i]);
  if (at >= 0) return `memory at 0x${at.toString(16)} is ${hex(a.ram[at])}, there ${hex(b.ram[at])}`;
  if (a.cpu.halted !== b.cpu.halted)
    return `it is ${a.cpu.halted ? '' : 'not '}halted, there it is${b.cpu.halted ? '' : ' not'}`;
  return undefined;
}

const hex = (value: number | bigint | undefined): string =>
  value === undefined ? 'missing' : `0x${value.toString(16)}`;

async function keepsBudget(type: CpuType, options: CpuConformanceOptions): Promise<void> {
  await using bench = new CpuBench(type, options);
  for (const budget of [1, 2, 3, 7, 100]) {
    bench.cpu.run(budget);
    const { executed } = bench.cpu;
    if (executed > budget || executed < 0 || !Number.isInteger(executed))
      throw new ConformanceError(
        `run(${budget}) executed ${executed} instructions: a slice ends at its budget, and 'executed' counts from 0 in each run`,
      );
  }
}

async function slicesAlike(type: CpuType, options: CpuConformanceOptions): Promise<void> {
  await using whole = new CpuBench(type, options);
  whole.run(stepsOf(options));
  for (const slice of [1, 3, 64]) {
    await using parts = new CpuBench(type, options);
    parts.run(stepsOf(options), slice);
    const found = difference(whole, parts) ?? counts(whole, parts);
    if (found !== undefined)
      throw new ConformanceError(
        `run in one slice and in slices of ${slice} the processor differs: ${found}. Nothing may be kept between two runs but its state`,
      );
  }
}

function counts(a: CpuBench, b: CpuBench): string | undefined {
  return a.executed === b.executed ? undefined : `${a.executed} instructions were executed, there ${b.executed}`;
}

async function survivesCode(type: CpuType, options: CpuConformanceOptions): Promise<void> {
  const random = new Random(options.seed ?? 1);
  for (let i = 0; i < RANDOM_PROGRAMS; i++) {
    const program = Uint8Array.from({ length: 1024 }, () => random.below(256));
    await using bench = new CpuBench(type, { ...options, program });
    try {
      bench.run(RANDOM_STEPS);
    } catch (cause) {
      const text = [...program.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
      throw new ConformanceError(
        `the processor throws at the guest after ${bench.executed} instructions of random code (${text} ...): ${String(cause)}. Hardware has a fault for it, or stops`,
        { cause },
      );
    }
  }
}

async function isDeterministic(type: CpuType, options: CpuConformanceOptions): Promise<void> {
  await using first = new CpuBench(type, options);
  await using second = new CpuBench(type, options);
  first.run(stepsOf(options));
  second.run(stepsOf(options));
  const found = difference(first, second) ?? counts(first, second);
  if (found !== undefined)
    throw new ConformanceError(
      `the same program ends differently: ${found}. Something is shared or comes from the host`,
    );
}

async function resetIsComplete(type: CpuType, options: CpuConformanceOptions): Promise<void> {
  await using fresh = new CpuBench(type, options);
  await using used = new CpuBench(type, options);
  used.run(stepsOf(options));
  used.ram.set(fresh.ram);
  used.reset();
  const found = difference(used, fresh) ?? bytesOf(await saveDevice(used), await saveDevice(fresh));
  if (found !== undefined)
    throw new ConformanceError(`reset is incomplete: after it, compared with a new processor, ${found}`);
}

/** Sections of the processor; the machine's clock goes on. */
function bytesOf(a: SavedDevice, b: SavedDevice): string | undefined {
  const own = (saved: SavedDevice) => saved.filter(({ idstr }) => idstr !== 'timer');
  return differenceOf(own(a), own(b));
}

async function registersWork(type: CpuType, options: CpuConformanceOptions): Promise<void> {
  await using bench = new CpuBench(type, options);
  const views = bench.cpu.registers();
  const names = new Set(views.map(({ name }) => name));
  if (views.length === 0) throw new ConformanceError('the processor shows no registers: debuggers need them');
  if (names.size < views.length) throw new ConformanceError('two registers have the same name');
  for (const { name, bits, read, write } of views) {
    const value = read();
    if (value < 0n || value >= 1n << BigInt(bits))
      throw new ConformanceError(`register ${name} reads ${value}, which does not fit its ${bits} bits`);
    write(value);
    if (read() !== value) throw new ConformanceError(`register ${name} changes when its own value is written to it`);
  }
}

async function saveLoadSave(type: CpuType, options: CpuConformanceOptions): Promise<void> {
  await using source = new CpuBench(type, options);
  for (let i = 0; i < 5; i++) {
    source.run(Math.ceil(stepsOf(options) / 5));
    const saved = await saveDevice(source);
    await using destination = await moved(source, saved, type, options);
    const found = differenceOf(saved, await saveDevice(destination));
    if (found !== undefined) throw new ConformanceError(`saved, loaded and saved again the state is another: ${found}`);
  }
}

async function moved(
  source: CpuBench,
  saved: SavedDevice,
  type: CpuType,
  options: CpuConformanceOptions,
): Promise<CpuBench> {
  const destination = new CpuBench(type, options);
  destination.ram.set(source.ram);
  await loadDevice(destination, saved);
  return destination;
}

async function migratesAnywhere(type: CpuType, options: CpuConformanceOptions): Promise<void> {
  const steps = stepsOf(options);
  await using stays = new CpuBench(type, options);
  stays.run(steps);
  for (let i = 0; i < MOVES; i++) {
    // The first instructions one by one, since they set up what comes later.
    const at = i < MOVES / 2 ? i : Math.floor((i * steps) / MOVES);
    await using leaves = new CpuBench(type, options);
    leaves.run(at);
    const { executed } = leaves;
    await using arrives = await moved(leaves, await saveDevice(leaves), type, options);
    const atOnce = difference(leaves, arrives);
    if (atOnce !== undefined)
      throw new ConformanceError(
        `state is lost: moved after ${executed} instructions ${atOnce}. Add it to the section`,
      );
    arrives.run(steps - executed);
    const found = difference(stays, arrives);
    if (found !== undefined)
      throw new ConformanceError(
        `moved after ${executed} instructions the program ends differently: ${found}. No register differed, so state is where no section has it`,
      );
  }
}

async function distrustsStream(type: CpuType, options: CpuConformanceOptions): Promise<void> {
  await using source = new CpuBench(type, options);
  source.run(Math.ceil(stepsOf(options) / 2));
  const saved = await saveDevice(source);
  const random = new Random((options.seed ?? 1) + 7);
  for (const [index, section] of saved.entries()) {
    if (section.idstr === 'timer') continue;
    for (let i = 0; i < FLIPS; i++) {
      const bytes = section.bytes.slice(0, i % 4 === 0 ? random.below(section.bytes.length) : undefined);
      if (bytes.length > 0) bytes[random.below(bytes.length)]! ^= 1 << random.below(8);
      await tryStream(saved.with(index, { ...section, bytes }), type, options);
    }
  }
}

async function tryStream(saved: SavedDevice, type: CpuType, options: CpuConformanceOptions): Promise<void> {
  await using victim = new CpuBench(type, options);
  try {
    await loadDevice(victim, saved);
  } catch (error) {
    if (error instanceof Error && !(error instanceof TypeError)) return;
    throw new ConformanceError(`loading a changed stream fails by a mistake, not by a check: ${String(error)}`, {
      cause: error,
    });
  }
  try {
    victim.run(RANDOM_STEPS);
  } catch (cause) {
    throw new ConformanceError(
      `a changed stream is accepted, and then the processor throws: ${String(cause)}. Check what is loaded in postLoad`,
      { cause },
    );
  }
}
