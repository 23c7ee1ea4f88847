/**
 * An operation is a function, and a migration may come while it runs: a driver that kicks, waits and reads does not do so in
 * one instant. To go on with it elsewhere, what it did so far is written down; on the destination it runs again, gets the
 * answers that it got before, and acts on the device from the moment of the migration on.
 */
import type { DeviceHarness } from '../harness/device-harness.ts';
import type { Operation } from './options.ts';

/** Calls of the harness that can be written down; whatever else an operation uses makes it one that is not divided. */
const CALLS = ['read', 'write', 'advance', 'type', 'irq'] as const;
type CallName = (typeof CALLS)[number];

/** Where an operation is left: before its call number `call`, or `ns` into that call, which lets time pass. */
export interface Moment {
  readonly call: number;
  readonly ns: number;
}

interface Call {
  readonly name: CallName;
  readonly args: readonly unknown[];
  readonly answer: unknown;
  /** RAM when it returned, since an operation may look at what the device wrote. */
  readonly ram: Uint8Array;
}

/** Thrown through an operation to leave it. */
const LEFT = Symbol('left');

/** What an operation did until it was left. */
export interface Journal {
  readonly ramBefore: Uint8Array;
  readonly calls: readonly Call[];
  readonly moment: Moment;
}

/** Moments inside an operation at which it could be left; none when it does but one thing. Performs it on the harness. */
export async function momentsOf(harness: DeviceHarness, operation: Operation): Promise<Moment[]> {
  const moments: Moment[] = [];
  let count = 0;
  let opaque = false;
  const watched = watch(harness, {
    onOther: () => {
      opaque = true;
    },
    call: (name, args, perform) => {
      const call = count++;
      if (call > 0) moments.push({ call, ns: 0 });
      const total = Number(args[0]);
      if (name === 'advance' && total > 1) {
        const first = harness.timers[0]?.inNs;
        // Right after a timer, when what it set off is under way, and with time still to pass before the next.
        if (first !== undefined && first > 0 && first < total - 1) moments.push({ call, ns: Math.ceil(first) + 1 });
        moments.push({ call, ns: Math.floor(total / 2) });
      }
      return perform();
    },
  });
  await operation.run(watched);
  await harness.settle();
  return opaque ? [] : moments;
}

/** Begins an operation and leaves it at the moment. */
export async function leaveAt(harness: DeviceHarness, operation: Operation, moment: Moment): Promise<Journal> {
  const calls: Call[] = [];
  const ramBefore = harness.ram.slice();
  const watched = watch(harness, {
    onOther: () => {},
    call: (name, args, perform) => {
      if (calls.length === moment.call) {
        if (moment.ns > 0) harness.advance(moment.ns);
        throw LEFT;
      }
      const answer = perform();
      calls.push({ name, args, answer, ram: harness.ram.slice() });
      return answer;
    },
  });
  try {
    await operation.run(watched);
  } catch (error) {
    if (error !== LEFT) throw error;
  }
  await harness.settle();
  return { ramBefore, calls, moment };
}

/** Ends an operation on another device. Answers what it answers there. */
export async function goOn(harness: DeviceHarness, operation: Operation, journal: Journal): Promise<unknown> {
  const { calls, moment } = journal;
  let at = 0;
  // What the operation does to RAM before the moment has been done.
  let ram: Uint8Array | undefined = journal.ramBefore;
  const watched = watch(harness, {
    onOther: () => {},
    ram: () => ram,
    call: (_, args, perform) => {
      const call = at++;
      const done = calls[call];
      if (call < moment.call && done !== undefined) {
        ram = done.ram;
        if (call === moment.call - 1 && moment.ns === 0) ram = undefined;
        return done.answer;
      }
      ram = undefined;
      if (call > moment.call || moment.ns === 0) return perform();
      return harness.advance(Number(args[0]) - moment.ns);
    },
  });
  const answer = await operation.run(watched);
  await harness.settle();
  return answer;
}

interface Watcher {
  /** A member is used that is not one of {@link CALLS} or RAM. */
  onOther(name: string): void;
  /** RAM to show; undefined for the device's. */
  ram?(): Uint8Array | undefined;
  call(name: CallName, args: readonly unknown[], perform: () => unknown): unknown;
}

function watch(harness: DeviceHarness, watcher: Watcher): DeviceHarness {
  return new Proxy(harness, {
    get(target, key) {
      if (CALLS.includes(key as CallName)) {
        const name = key as CallName;
        return (...args: unknown[]) =>
          watcher.call(name, args, () => (target[name] as (...args: unknown[]) => unknown).apply(target, args));
      }
      if (key === 'ram') return watcher.ram?.() ?? target.ram;
      if (key !== 'then') watcher.onOther(String(key));
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
