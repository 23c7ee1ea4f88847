import { SternaError } from '@sterna/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SnapshotRig } from '../support/snapshot-rig.ts';

/** What the guest is: a byte of RAM and a counter of a device. */
interface Guest {
  readonly byte: number;
  readonly ticks: number;
  readonly asleep: boolean;
}

/** A machine with its snapshots, as simple as it can be said. */
class Model {
  byte = 0;
  ticks = 0;
  state: 'running' | 'suspended' | 'paused' = 'running';
  /** Of a paused machine: its guest was stopped in its sleep. */
  slept = false;
  readonly saved = new Map<string, Guest>();

  get asleep(): boolean {
    return this.state === 'suspended' || (this.state === 'paused' && this.slept);
  }
  load({ byte, ticks, asleep }: Guest): void {
    const before = this.state;
    this.byte = byte;
    this.ticks = ticks;
    this.slept = before === 'paused' && asleep;
    if (before === 'running') this.state = 'running';
    if (before === 'suspended') this.state = asleep ? 'suspended' : 'running';
  }
}

type Step = (model: Model, rig: SnapshotRig) => Promise<void>;
const name = fc.constantFrom('a', 'b', 'c');
const STEPS = [2, 9, 400] as const;

const work = fc.integer({ min: 1, max: 255 }).map(
  (value): Step =>
    async (model, rig) => {
      if (model.state !== 'running') return;
      model.byte = value;
      model.ticks += value;
      rig.migration.guestWrite(rig.migration.block('fake.ram').hostOffset + 0x3000, value);
      rig.migration.counter.ticks += value;
    },
);
const save = fc.tuple(name, fc.boolean()).map(
  ([tag, overwrite]): Step =>
    async (model, rig) => {
      const { byte, ticks, asleep } = model;
      const refused = model.saved.has(tag) && !overwrite;
      expect(await fails(rig.save(tag, overwrite))).toBe(refused);
      if (!refused) model.saved.set(tag, { byte, ticks, asleep });
    },
);
const load = name.map(
  (tag): Step =>
    async (model, rig) => {
      const guest = model.saved.get(tag);
      expect(await fails(rig.load(tag))).toBe(guest === undefined);
      if (guest !== undefined) model.load(guest);
    },
);
const remove = name.map(
  (tag): Step =>
    async (model, rig) => {
      await rig.snapshots.remove(tag);
      model.saved.delete(tag);
    },
);
const stop: Step = async (model, rig) => {
  if (model.state === 'paused') return;
  model.slept = model.state === 'suspended';
  model.state = 'paused';
  await rig.migration.stop('paused');
};
const start: Step = async (model, rig) => {
  if (model.state !== 'paused') return;
  model.state = model.slept ? 'suspended' : 'running';
  model.slept = false;
  rig.migration.start();
};
const sleep: Step = async (model, rig) => {
  if (model.state === 'paused') return;
  model.state = model.state === 'running' ? 'suspended' : 'running';
  rig.migration.setRunState(model.state);
};
/** A store that fails at its n-th call: a save leaves the guest as it was; a load does so, or the machine stands still. */
const brokenStore = fc.tuple(name, fc.constantFrom(...STEPS), fc.boolean()).map(
  ([tag, nth, saving]): Step =>
    async (model, rig) => {
      let calls = 0;
      rig.store.fault = () => {
        if (++calls >= nth) throw new SternaError('STERNA_ERR_HOST_IO', 'the disk is on fire');
      };
      const known = model.saved.get(tag);
      const failed = await fails(saving ? rig.save(tag, true) : rig.load(tag));
      rig.store.fault = () => {};
      if (saving) {
        const { byte, ticks, asleep } = model;
        if (!failed) model.saved.set(tag, { byte, ticks, asleep });
        return;
      }
      if (known === undefined) return;
      if (!failed) model.load(known);
      else if (rig.migration.runState === 'restore-vm') {
        // Whatever is in the machine now, the snapshot itself is unharmed.
        await rig.load(tag);
        model.load({ ...known });
        model.state = 'paused';
        model.slept = known.asleep;
      }
    },
);

async function fails(work: Promise<unknown>): Promise<boolean> {
  return work.then(
    () => false,
    (error) => {
      expect(error).toBeInstanceOf(SternaError);
      return true;
    },
  );
}

test('whatever is saved, loaded, deleted, stopped and broken, machine and store are what a simple model says', async () => {
  const step = fc.oneof(work, work, save, load, remove, fc.constantFrom(stop, start, sleep), brokenStore);
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 20 }), async (steps) => {
      const [model, rig] = [new Model(), new SnapshotRig()];
      for (const one of steps) {
        await one(model, rig);
        const { migration } = rig;
        expect({
          byte: migration.content('fake.ram')[0x3000],
          ticks: migration.counter.ticks,
          state: migration.runState,
          slept: migration.runState === 'paused' && migration.wasSuspended,
          names: (await rig.snapshots.list()).map((info) => info.name).sort(),
          pending: rig.store.pending,
          blocked: rig.blocked.length,
        }).toEqual({
          byte: model.byte,
          ticks: model.ticks,
          state: model.state,
          slept: model.slept,
          names: [...model.saved.keys()].sort(),
          pending: 0,
          blocked: 0,
        });
      }
    }),
    { numRuns: 60 },
  );
}, 60_000);
