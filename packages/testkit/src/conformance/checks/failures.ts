import { isVmStateTable, type SavableSection } from '@sterna/core';
import { DeviceHarness } from '../../harness/device-harness.ts';
import { Random } from '../../host/random.ts';
import { differenceOf, loadDevice, type SavedDevice, saveDevice } from '../../snapshot/device-stream.ts';
import { behaviourDifference } from '../compare.ts';
import { bufferBytes, MEMORY_LIMIT } from '../host-usage.ts';
import { perform } from '../operations.ts';
import { ConformanceError, type Subject } from '../options.ts';
import { destinationFor } from './state.ts';

/** Corruptions that are tried on each section. */
const FLIPS = 60;
/** Places at which a stream breaks off. */
const FAILING_LOADS = 16;

/** A save that fails anywhere leaves a device that works as if nothing had been. */
export async function survivesFailingSave({ type, options, operations }: Subject): Promise<void> {
  const half = Math.floor(operations.length / 2);
  const [before, after] = [operations.slice(0, half), operations.slice(half)];
  for (let failing = 0; failing < 12; failing++) {
    await using harness = new DeviceHarness(type, options);
    await using calm = new DeviceHarness(type, options);
    await perform(harness, before);
    await perform(calm, before);
    harness.stop();
    const failed = await saveDevice(failSaving(harness, failing)).then(
      () => false,
      () => true,
    );
    harness.start();
    const difference = behaviourDifference(after, await perform(harness, after), await perform(calm, after));
    if (difference !== undefined)
      throw new ConformanceError(
        `after a save that failed at its call ${failing + 1} the device behaves unlike one that was never saved: ${difference}`,
      );
    if (!failed) return;
  }
}

/** The same harness with sections whose n-th call fails. */
function failSaving(harness: DeviceHarness, failing: number): DeviceHarness {
  let calls = 0;
  const step = (): void => {
    if (calls++ === failing) throw new Error('planted failure');
  };
  const wrap = (section: SavableSection): SavableSection => {
    const { live, vmstate } = section;
    return {
      ...section,
      live:
        live === undefined
          ? undefined
          : {
              ...live,
              saveSetup: async (state, stream, context) => {
                await live.saveSetup?.(state, stream, context);
                step();
              },
              ...(live.saveLiveIterate === undefined
                ? {}
                : {
                    saveLiveIterate: async (state, stream, context) => {
                      const left = await live.saveLiveIterate!(state, stream, context);
                      step();
                      return left;
                    },
                  }),
              saveComplete: async (state, stream, context) => {
                step();
                await live.saveComplete(state, stream, context);
              },
            },
      vmstate: !isVmStateTable(vmstate)
        ? vmstate
        : {
            ...vmstate,
            preSave: (state) => {
              vmstate.preSave?.(state);
              step();
            },
          },
    };
  };
  const machine = Object.create(harness.machine, {
    sections: { value: () => harness.machine.sections().map(wrap) },
  }) as DeviceHarness['machine'];
  return Object.create(harness, { machine: { value: machine } }) as DeviceHarness;
}

/** A load that fails anywhere leaves a source that works on, and a destination that can be told again. */
export async function survivesFailingLoad(subject: Subject): Promise<void> {
  const { type, options, operations } = subject;
  const half = Math.floor(operations.length / 2);
  const [before, after] = [operations.slice(0, half), operations.slice(half)];
  await using source = new DeviceHarness(type, options);
  await using calm = new DeviceHarness(type, options);
  await perform(source, before);
  await perform(calm, before);
  source.stop();
  const saved = await saveDevice(source);
  const total = saved.reduce((sum, { bytes }) => sum + bytes.length, 0);
  await using destination = destinationFor(source, subject);
  for (let i = 0; i < FAILING_LOADS && total > 0; i++) {
    const cut = Math.floor((i * total) / FAILING_LOADS);
    await loadDevice(destination, cutTo(saved, cut)).catch(() => {});
  }
  // The guest stays here for a while: the source has heard of the failure.
  source.start();
  const here = await perform(source, after);
  const difference = behaviourDifference(after, here, await perform(calm, after));
  if (difference !== undefined)
    throw new ConformanceError(
      `after a migration that the destination gave up the source behaves unlike one that never began: ${difference}`,
    );
  source.stop();
  const second = await saveDevice(source);
  await using fresh = destinationFor(source, subject);
  await loadDevice(fresh, second);
  destination.host.nowNs = source.host.nowNs;
  await loadDevice(destination, second).catch((cause: unknown) => {
    throw new ConformanceError(
      `a destination that gave up a stream refuses the next one, which is whole: ${cause instanceof Error ? cause.message : cause}. loadSetup and loadCleanup begin and end an attempt`,
      { cause },
    );
  });
  const bytes = differenceOf(await saveDevice(fresh), await saveDevice(destination));
  if (bytes !== undefined)
    throw new ConformanceError(
      `a destination that gave up a stream is not what the next one says: ${bytes}. A load must not build on what it finds`,
    );
}

/** The stream up to a byte; what comes later is not there at all. */
function cutTo(saved: SavedDevice, total: number): SavedDevice {
  const parts: SavedDevice[number][] = [];
  let left = total;
  for (const section of saved) {
    parts.push({ ...section, bytes: section.bytes.slice(0, left) });
    left -= section.bytes.length;
    if (left <= 0) break;
  }
  return parts;
}

/** A stream that ends early or has wrong bits ends in an error or in a state that a device can have. */
export async function distrustsStream(subject: Subject): Promise<void> {
  const { type, options, operations } = subject;
  await using source = new DeviceHarness(type, options);
  await perform(source, operations.slice(0, Math.ceil(operations.length / 2)));
  source.stop();
  const saved = await saveDevice(source);
  await using victim = new Victim(subject);
  const random = new Random((options.seed ?? 1) + 77);
  for (const [index, section] of saved.entries()) {
    if (section.idstr === 'timer') continue;
    const { length } = section.bytes;
    const cuts = Array.from({ length: Math.min(length, FLIPS) }, (_, i) =>
      Math.floor((i * length) / Math.min(length, FLIPS)),
    );
    for (const cut of cuts)
      await victim.tryLoading(
        replaced(saved, index, section.bytes.slice(0, cut)),
        `cut to ${cut} of ${length} bytes`,
        !mayEnd(subject, section),
      );
    for (let i = 0; i < FLIPS && length > 0; i++) {
      const bytes = section.bytes.slice();
      const at = i < length * 2 && i < 40 ? i % length : random.below(length);
      bytes[at] = i % 3 === 0 ? 0xff : i % 3 === 1 ? bytes[at]! ^ (1 << random.below(8)) : random.below(256);
      if (i % 4 === 3) bytes.fill(0xff, at, at + 4);
      await victim.tryLoading(replaced(saved, index, bytes), `with byte ${at} changed`, false);
    }
  }
}

/** A section may end where its optional subsections would begin, and a live part where its next record would. */
function mayEnd({ table }: Subject, { kind }: SavedDevice[number]): boolean {
  return kind === 'live' || (table?.subsections?.length ?? 0) > 0;
}

function replaced(saved: SavedDevice, index: number, bytes: Uint8Array): SavedDevice {
  return saved.map((section, i) => (i === index ? { ...section, bytes } : section));
}

/** A device that streams are tried on. One that refused a stream may be used for the next; one that took it may not. */
class Victim implements AsyncDisposable {
  readonly #subject: Subject;
  #harness: DeviceHarness | undefined;

  constructor(subject: Subject) {
    this.#subject = subject;
  }

  async tryLoading(saved: SavedDevice, how: string, mustFail: boolean): Promise<void> {
    const { type, options, operations } = this.#subject;
    if (this.#harness === undefined) {
      this.#harness = new DeviceHarness(type, options);
      this.#harness.stop();
    }
    const harness = this.#harness;
    const memory = bufferBytes();
    try {
      await loadDevice(harness, saved);
    } catch (error) {
      if (error instanceof Error && !(error instanceof TypeError)) return checkMemory(memory, how);
      throw new ConformanceError(
        `loading a stream ${how} fails by a mistake of the device's own code, not by a check: ${String(error)}. Check what the stream says before using it`,
        { cause: error },
      );
    }
    checkMemory(memory, how);
    if (mustFail) throw new ConformanceError(`a stream ${how} is loaded as if it were whole`);
    try {
      harness.start();
      await perform(harness, operations);
      harness.stop();
      await saveDevice(harness);
    } catch (cause) {
      if (!(cause instanceof Error)) throw cause;
      throw new ConformanceError(
        `a stream ${how} is accepted, and then the device fails in ${cause.message}. A value from the stream is trusted: check it in postLoad`,
        { cause },
      );
    }
    await this[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#harness?.[Symbol.asyncDispose]();
    this.#harness = undefined;
  }
}

function checkMemory(before: number, how: string): void {
  if (bufferBytes() - before > MEMORY_LIMIT)
    throw new ConformanceError(
      `a stream ${how} makes the device allocate ${(bufferBytes() - before) >>> 20} MiB: a length is trusted`,
    );
}
