import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { MigrationController } from '../src/controller.ts';
import { parseStream, type StreamRecord } from '../src/inspect/records.ts';
import { channelPair } from '../src/transport/pipe.ts';
import type { VmDescription } from '../src/vmstate/describe.ts';
import { WIRE_GENERATIONS, type WireGeneration } from '../src/wire.ts';
import { FakeHost } from './support/fake-host.ts';
import { sectionFromDescription } from './support/from-description.ts';
import { goldenMissing, goldenNames, goldenSidecar, goldenStream } from './support/golden.ts';
import { SimLoop } from './support/sim-loop.ts';

const transport = {
  connect: async () => Promise.reject(new Error('unused')),
  listen: async () => Promise.reject(new Error('unused')),
};

/** A machine with the blocks and sections that a stream has. */
function machineFor(records: readonly StreamRecord[]): FakeHost {
  const setup = records.find((record) => record.type === 'ram' && record.kind === 'start') as Extract<
    StreamRecord,
    { type: 'ram' }
  >;
  const blocks = setup.records[0]!.blocks!.map(({ name, length }): [string, number] => [name, length]);
  const json = records.find((record) => record.type === 'vmdescription')!.json;
  const description = JSON.parse(new TextDecoder().decode(json)) as VmDescription;
  const host = new FakeHost('inmigrate', blocks, 'microvm');
  const sections = description.devices.filter(({ name }) => name !== 'globalstate').map(sectionFromDescription);
  host.sections = () => sections;
  return host;
}

const wireOf = (name: string): WireGeneration =>
  name.startsWith('v72') ? 'qemu-7.2' : name.startsWith('v100') ? 'qemu-10.0' : 'qemu-11.1';

async function load(host: FakeHost, stream: Uint8Array, loop: SimLoop): Promise<MigrationController> {
  const controller = new MigrationController(host, { transport, pace: loop.pace });
  controller.autostart = false;
  const [there, here] = channelPair();
  const sent = there.write(stream).then(() => there.end());
  await loop.run(Promise.all([sent, controller.migrateIncomingOverChannel(here)]));
  return controller;
}

/** What a machine sends when it migrates. */
async function save(host: FakeHost, wire: WireGeneration, loop: SimLoop): Promise<Uint8Array> {
  const controller = new MigrationController(host, { transport, pace: loop.pace, wire });
  const [there, here] = channelPair();
  const chunks: Uint8Array[] = [];
  const read = (async () => {
    for (let chunk = await here.read(); chunk !== undefined; chunk = await here.read()) chunks.push(chunk.slice());
  })();
  await loop.run(Promise.all([controller.migrateOverChannel(there), read]));
  return Buffer.concat(chunks);
}

describe.skipIf(goldenMissing !== undefined)('golden streams in a machine made of their descriptions', () => {
  test.for(goldenNames)('%s is loaded: RAM has the recorded content', async (name) => {
    const stream = goldenStream(name);
    const host = machineFor(parseStream(stream));
    await load(host, stream, new SimLoop());
    expect(host.runState).toBe('paused');
    for (const [block, { sha256 }] of Object.entries(goldenSidecar(name).ram_blocks.blocks)) {
      expect([block, createHash('sha256').update(host.content(block)).digest('hex')]).toEqual([block, sha256]);
    }
  });

  test.for(goldenNames)(
    '%s is loaded and saved: sections, order, numbers and description are the same',
    async (name) => {
      const stream = goldenStream(name);
      const records = parseStream(stream);
      const host = machineFor(records);
      const loop = new SimLoop();
      await load(host, stream, loop);
      const saved = parseStream(await save(host, wireOf(name), loop));
      const full = (list: readonly StreamRecord[]) => list.filter((record) => record.type === 'full');
      const describeSection = ({ idstr, instance, version, payload }: Extract<StreamRecord, { type: 'full' }>) => ({
        idstr,
        instance,
        version,
        payload: Buffer.from(payload).toString('hex'),
      });
      expect(full(saved).map(describeSection)).toEqual(full(records).map(describeSection));
      const ids = (list: readonly StreamRecord[]) =>
        list.flatMap((record) => (record.type === 'ram' ? [record.id] : []))[0];
      expect(ids(saved)).toBe(ids(records));
      const commands = (list: readonly StreamRecord[]) =>
        list.filter(({ type }) => type === 'command').map((record) => ({ ...record, offset: 0 }));
      expect(commands(saved)).toEqual(commands(records));
      const text = (list: readonly StreamRecord[]) =>
        new TextDecoder().decode(list.find((record) => record.type === 'vmdescription')!.json);
      // A plain boolean: the difference of two 16 KB lines would not help anybody.
      expect(text(saved) === text(records)).toBe(true);
    },
  );
});

test('every wire generation is one complete set of properties', () => {
  const names = Object.values(WIRE_GENERATIONS).map((wire) => Object.keys(wire).sort());
  expect(new Set(names.map(String)).size).toBe(1);
});
