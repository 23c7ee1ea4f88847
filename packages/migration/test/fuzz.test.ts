import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MigrationController } from '../src/controller.ts';
import { channelPair } from '../src/transport/pipe.ts';
import { FakeHost } from './support/fake-host.ts';
import { Pair } from './support/pair.ts';
import { SimLoop } from './support/sim-loop.ts';

const BLOCKS: readonly [string, number, number?][] = [
  ['fake.ram', 256 * 1024],
  ['tables', 8192, 65536],
];
const unused = {
  connect: () => Promise.reject(new Error('unused')),
  listen: () => Promise.reject(new Error('unused')),
};

/** A complete stream of a small machine. */
async function record(): Promise<Uint8Array> {
  const pair = new Pair({ blocks: BLOCKS });
  const { hostOffset } = pair.source.block('fake.ram');
  for (let page = 0; page < 64; page += 3)
    for (let i = 0; i < 64; i++) pair.source.guestWrite(hostOffset + page * 4096 + i * 60, i + page);
  pair.source.counter.ticks = 8;
  const [there, here] = channelPair();
  const chunks: Uint8Array[] = [];
  const read = (async () => {
    for (let chunk = await here.read(); chunk !== undefined; chunk = await here.read()) chunks.push(chunk.slice());
  })();
  await pair.loop.run(Promise.all([pair.out.migrateOverChannel(there), read]));
  return Buffer.concat(chunks);
}

/** Loads bytes cut into chunks. @returns the machine, and the error if there was one */
async function load(stream: Uint8Array, chunk: number): Promise<{ host: FakeHost; error: unknown }> {
  const host = new FakeHost('inmigrate', BLOCKS);
  const loop = new SimLoop();
  const controller = new MigrationController(host, { transport: unused, pace: loop.pace });
  const [there, here] = channelPair();
  const sending = (async () => {
    for (let at = 0; at < stream.length; at += chunk) await there.write(stream.subarray(at, at + chunk));
    await there.end();
  })();
  sending.catch(() => {});
  let error: unknown;
  await loop.run(controller.migrateIncomingOverChannel(here)).catch((reason: unknown) => {
    error = reason;
  });
  return { host, error };
}

const stream = await record();

function expectCodedOrRunning({ host, error }: { host: FakeHost; error: unknown }): void {
  if (error === undefined) expect(host.runState).toBe('running');
  else {
    expect(error).toMatchObject({ code: expect.stringMatching(/^STERNA_ERR_(STREAM|TRANSPORT)$/) });
    expect(host.runState).toBe('inmigrate');
  }
}

test('the stream itself loads, in whatever pieces it comes', async () => {
  for (const chunk of [13, 4095, 4104, stream.length]) {
    const { host, error } = await load(stream, chunk);
    expect([chunk, error, host.runState, host.counter.ticks]).toEqual([chunk, undefined, 'running', 8]);
  }
});

test('500 truncations end in a coded error, or only miss the description', async () => {
  const end = stream.lastIndexOf(6, stream.length - 1);
  await fc.assert(
    fc.asyncProperty(fc.nat(stream.length - 1), fc.constantFrom(64, 4096, 65536), async (length, chunk) => {
      const result = await load(stream.subarray(0, length), chunk);
      expectCodedOrRunning(result);
      if (result.error === undefined) expect(length).toBeGreaterThan(stream.length - 2000);
    }),
    { numRuns: 500 },
  );
  expect(end).toBeGreaterThan(0);
});

test('1000 corruptions end in a coded error or a machine in a valid state', async () => {
  // Page data is most of the bytes and any of it is valid; aim at the rest as often.
  const framing = fc.oneof(
    fc.nat(stream.length - 1),
    fc.nat(200),
    fc.integer({ min: stream.length - 2400, max: stream.length - 1 }),
  );
  const change = fc.record({ at: framing, byte: fc.nat(255), insert: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
      let bytes = Uint8Array.from(stream);
      for (const { at, byte, insert } of changes) {
        if (insert) bytes = Uint8Array.from([...bytes.subarray(0, at), byte, ...bytes.subarray(at)]);
        else bytes[at] = byte;
      }
      expectCodedOrRunning(await load(bytes, 65536));
    }),
    { numRuns: 1000 },
  );
}, 60_000);
