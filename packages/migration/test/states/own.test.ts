import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ownBench } from './own-bench.ts';
import { type Outcome, observe, SCENARIOS } from './scenarios.ts';

type Recorded = Record<string, Record<string, Outcome>>;
const recorded = JSON.parse(await readFile(new URL('./qemu-states.json', import.meta.url), 'utf8')) as Record<
  'qemu-7.2' | 'qemu-11.1',
  Recorded
>;

/** 7.2 has no `failing`, and `device` only behind a pause before the switchover. */
const NEW_IN_11_1 = ['failing', 'device'];

function without(outcomes: Record<string, Outcome>, statuses: readonly string[]): Record<string, Outcome> {
  return Object.fromEntries(
    Object.entries(outcomes).map(([name, { events, runState }]) => [
      name,
      { events: events.filter((event) => !statuses.includes(event)), runState },
    ]),
  );
}

describe('states and events of two machines are those of two QEMUs', () => {
  test.each(SCENARIOS.map((scenario) => [scenario.name, scenario] as const))('%s', async (name, scenario) => {
    const directory = await mkdtemp(join(tmpdir(), 'sterna-states-'));
    try {
      const own = await observe(scenario, ownBench(directory));
      expect(own).toEqual(recorded['qemu-11.1'][name]);
      // 7.2 wakes sleeping guests when it stops them, and loses a paused guest's state when it is cancelled.
      if (scenario.not72 === true) return;
      expect(without(own, NEW_IN_11_1)).toEqual(without(recorded['qemu-7.2'][name]!, NEW_IN_11_1));
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
