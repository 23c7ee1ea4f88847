import { DeviceHarness } from '../../harness/device-harness.ts';
import { observe, observedDifference } from '../../snapshot/observe.ts';
import { behaviourDifference } from '../compare.ts';
import { perform } from '../operations.ts';
import { ConformanceError, type Subject } from '../options.ts';
import { moved } from './state.ts';

/** Requests under way that are looked at. */
const PLACES = 12;

/** A DMA request that waits for its pages is state like any other: it moves, and a reset ends it. */
export async function movesWaitingDma(subject: Subject): Promise<void> {
  let tried = 0;
  for (let index = 0; index < subject.operations.length && tried < PLACES; index++)
    if (await moveWaiting(subject, index)) {
      tried++;
      await resetWaiting(subject, index);
    }
}

/** Performs all operations up to `index`; the last one with all pages missing. */
async function withWaiting({ type, options, operations }: Subject, index: number): Promise<DeviceHarness> {
  const harness = new DeviceHarness(type, options);
  await perform(harness, operations.slice(0, index));
  harness.holdDma();
  await perform(harness, [operations[index]!]);
  return harness;
}

/** Answers whether a request waited. */
async function moveWaiting(subject: Subject, index: number): Promise<boolean> {
  const { operations } = subject;
  const { name } = operations[index]!;
  await using stays = await withWaiting(subject, index);
  if (stays.waitingDma === 0) return false;
  await using leaves = await withWaiting(subject, index);
  await using arrives = await moved(leaves, subject);
  arrives.start();
  if (arrives.waitingDma < stays.waitingDma)
    throw new ConformanceError(
      `a DMA request is lost: '${name}' left ${stays.waitingDma} waiting for guest pages, and after a migration ${arrives.waitingDma} wait. Keep the request in fields of the vmstate and give it to dma.run again in postLoad`,
    );
  stays.releaseDma();
  arrives.releaseDma();
  await stays.settle();
  await arrives.settle();
  const at = observedDifference(observe(stays), observe(arrives));
  if (at !== undefined)
    throw new ConformanceError(
      `a DMA request that waited for guest pages during a migration ends otherwise: after '${name}' ${at}. What it needs belongs into the vmstate`,
    );
  const after = operations.slice(index + 1);
  const difference = behaviourDifference(after, await perform(stays, after), await perform(arrives, after));
  if (difference !== undefined)
    throw new ConformanceError(
      `after a migration while the DMA of '${name}' waited for guest pages the device behaves differently: ${difference}`,
    );
  return true;
}

async function resetWaiting(subject: Subject, index: number): Promise<void> {
  const { type, options, operations } = subject;
  const { name } = operations[index]!;
  await using harness = await withWaiting(subject, index);
  await using fresh = new DeviceHarness(type, options);
  harness.reset();
  fresh.advance(harness.now - fresh.now);
  fresh.reset();
  const ram = observe(harness).ram;
  harness.releaseDma();
  await harness.settle();
  const [a, b] = [observe(harness), observe(fresh)];
  const difference =
    a.ram === ram
      ? observedDifference({ ...a, ...ELSEWHERE }, { ...b, ...ELSEWHERE })
      : 'it writes to memory that the guest uses for something else by now';
  if (difference !== undefined)
    throw new ConformanceError(
      `a DMA request outlives a reset: the pages that '${name}' waited for come after it, and ${difference}. Note in a field that it is under way, clear that in reset, and look at it first in the function given to dma.run`,
    );
}

const ELSEWHERE = { ram: 0, disk: 0, output: '' };
