import { channelPair, parseStream } from '@sterna/migration';
import { describe, expect, it } from 'vitest';
import { goldenMachine, goldenStream } from '../support/golden.ts';
import { LocalMachine } from '../support/local-machine.ts';
import { missing } from '../support/peers.ts';

const reason = missing({ shared: true });
const LONG = process.env['STERNA_LONG'] === '1';
const NAME = 'v72-run-rom-noacpi';

/** A small deterministic generator, so that a failing case can be repeated by its number. */
function random(seed: number): (limit: number) => number {
  let state = seed >>> 0;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

/** Changes some bytes, most of them in device sections, and cuts some streams short. */
function corrupt(stream: Uint8Array, devices: number, seed: number): Uint8Array {
  const next = random(seed);
  const bytes = Uint8Array.from(stream);
  for (let left = 1 + next(5); left > 0; left--) {
    const at = next(4) === 0 ? next(stream.length) : devices + next(2600);
    bytes[at] = [0, 1, 0x80, 0xff, next(256)][next(5)]!;
  }
  return next(6) === 0 ? bytes.subarray(0, next(bytes.length)) : bytes;
}

/** Loads the bytes into a fresh machine and lets it run for a moment. @returns the error, if there was one */
async function loadAndRun(bytes: Uint8Array): Promise<unknown> {
  const target = new LocalMachine({ ...goldenMachine(NAME), bios: new Uint8Array(65_536), incoming: true });
  let failure: unknown;
  target.machine.onEnd = ({ error }) => {
    failure = error;
  };
  const [near, far] = channelPair();
  const feeding = (async () => {
    await near.write(bytes);
    await near.end();
  })().catch(() => {});
  try {
    await target.controller.migrateIncomingOverChannel(far);
  } catch (error) {
    expect(error).toMatchObject({ code: expect.stringMatching(/^STERNA_ERR_(STREAM|TRANSPORT)$/) });
    expect(target.machine.runState).toBe('inmigrate');
    return error;
  } finally {
    await feeding;
  }
  target.machine.start();
  await new Promise((resolve) => setTimeout(resolve, 10));
  await target.machine.dispose();
  expect(failure).toBeUndefined();
  return undefined;
}

describe.skipIf(reason !== '')(`corrupt streams in a real machine ${reason}`, () => {
  it(`${LONG ? 1000 : 100} of them are refused with a code, or load to a state that runs`, async () => {
    const stream = goldenStream(NAME);
    const devices = parseStream(stream).find(({ type }) => type === 'full')!.offset;
    let refused = 0;
    for (let seed = 1; seed <= (LONG ? 1000 : 100); seed++) {
      if ((await loadAndRun(corrupt(stream, devices, seed))) !== undefined) refused++;
    }
    // Neither everything nor nothing is noticed: registers may hold any value.
    expect(refused).toBeGreaterThan(LONG ? 200 : 20);
  });
});
