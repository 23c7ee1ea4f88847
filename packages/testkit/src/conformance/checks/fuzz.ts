import { DeviceHarness } from '../../harness/device-harness.ts';
import { HostAccessError } from '../../harness/host-guard.ts';
import { Random } from '../../host/random.ts';
import { differenceOf, saveDevice } from '../../snapshot/device-stream.ts';
import { bufferBytes, MEMORY_LIMIT, processorMs } from '../host-usage.ts';
import { allSpecialWrites, OperationError, perform, randomAccesses } from '../operations.ts';
import { ConformanceError, type Operation, type Subject } from '../options.ts';
import { moved } from './state.ts';

/** The first tries special values one after the other, the others anything. */
const RUNS = 4;
const ACCESSES = 200;
/** Processor time that one access may take. */
const LIMIT_MS = 2000;

/** A guest that writes anything anywhere, over memory full of anything, breaks nothing but itself. */
export async function survivesFuzzing(subject: Subject): Promise<void> {
  for (let run = 0; run < RUNS; run++) {
    const random = new Random((subject.options.seed ?? 1) * 1000 + run);
    const accesses = run === 0 ? await allSpecialWrites(subject) : await randomAccesses(subject, random, ACCESSES);
    const operations = [...subject.operations, ...accesses];
    const finding = await findingOf(subject, operations, run);
    if (finding === undefined) continue;
    const few = await shrunk(operations, async (fewer) => (await findingOf(subject, fewer, run)) !== undefined);
    const last = (await findingOf(subject, few, run)) ?? finding;
    throw new ConformanceError(
      `a guest that does ${few.length === 0 ? 'nothing' : few.map(({ name }) => `'${name}'`).join(', then ')} ${last}`,
    );
  }
}

/** What is wrong after these operations, as the end of a sentence. */
async function findingOf(subject: Subject, operations: readonly Operation[], run: number): Promise<string | undefined> {
  const { type, options } = subject;
  await using harness = new DeviceHarness(type, options);
  const random = new Random(run + 1);
  // Half of the runs let descriptors and buffers in RAM say anything.
  if (run % 2 === 1) for (let i = 0; i < harness.ram.length; i++) harness.ram[i] = random.below(256);
  const memory = bufferBytes();
  for (const operation of operations) {
    const before = processorMs();
    try {
      await perform(harness, [operation]);
    } catch (error) {
      if (!(error instanceof OperationError)) throw error;
      if (error.cause instanceof HostAccessError) return `makes the device break a rule: ${error.cause.message}`;
      return `makes the device throw: ${String(error.cause)}. Hardware answers something; report guest errors to Logger.guestError`;
    }
    if (processorMs() - before > LIMIT_MS)
      return `keeps the device busy for ${Math.round(processorMs() - before)} ms in one access: bound what the guest may ask for, and go on in a timer`;
    if (bufferBytes() - memory > MEMORY_LIMIT)
      return `makes the device allocate ${(bufferBytes() - memory) >>> 20} MiB: bound what the guest may ask for`;
  }
  if (harness.machine.runState === 'internal-error') return 'ends the machine with an internal error';
  return subject.migrates ? await unmovable(harness, subject) : undefined;
}

/** A state that a guest can bring about must be one that a destination accepts. */
async function unmovable(harness: DeviceHarness, subject: Subject): Promise<string | undefined> {
  harness.stop();
  const saved = await saveDevice(harness);
  try {
    await using destination = await moved(harness, subject);
    const difference = differenceOf(saved, await saveDevice(destination));
    return difference === undefined
      ? undefined
      : `brings the device into a state that changes when it moves: ${difference}`;
  } catch (error) {
    return `brings the device into a state that its own destination refuses: ${error instanceof Error ? error.message : error}. Refuse or cut what the guest writes, or accept it in postLoad`;
  }
}

/** Leaves out operations as long as the finding stays. */
async function shrunk(
  operations: readonly Operation[],
  fails: (operations: readonly Operation[]) => Promise<boolean>,
): Promise<readonly Operation[]> {
  let kept = operations;
  for (let size = Math.ceil(kept.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2))
    for (let at = 0; at < kept.length; ) {
      const fewer = [...kept.slice(0, at), ...kept.slice(at + size)];
      if (await fails(fewer)) kept = fewer;
      else at += size;
    }
  return kept;
}
