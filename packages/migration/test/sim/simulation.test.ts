import { getEventListeners } from 'node:events';
import {
  Dice,
  multifdScheduleOf,
  realTurn,
  runSeeds,
  type Schedule,
  SimHost,
  Simulation,
  Stage,
  scheduleOf,
  shrink,
} from '@sterna/testkit';
import { describeFailures } from '@sterna/testkit/node';
import { describe, expect, test } from 'vitest';
import { alone } from './alone.ts';

async function run(schedule: Schedule, stage: Stage = new Stage()): Promise<{ lines: string[]; violations: string[] }> {
  const lines: string[] = [];
  const simulation = new Simulation(schedule, stage, {
    trace: (line) => void lines.push(line),
    listeners: (signal) => getEventListeners(signal, 'abort').length,
  });
  while (simulation.step()) await realTurn();
  return { lines, violations: simulation.violations };
}

/** Seconds on an idle host; measuring coverage or among other tests it is more. */
const PATIENCE_MS = 300_000;

/** A schedule in which nothing goes wrong. */
const CALM: Schedule = {
  ...scheduleOf(1),
  capabilities: { source: ['return-path'], destination: ['return-path'] },
  network: {
    latencyMs: 0.1,
    bytesPerMs: 20_000,
    buffer: 65_536,
    shortReads: false,
    lossyReset: false,
    connectMs: 0.2,
  },
  parameters: {},
  refused: 0,
  unanswered: 0,
  guest: { state: 'running', writesPerMs: 1, span: 4 },
  disks: 1,
  drainMs: 0,
  unplugMs: 0,
  autostart: true,
  migrateMs: 1,
  incomingMs: 0,
  incidents: [],
  breakages: [],
  after: 'nothing',
};

describe('a simulation', () => {
  test('keeps every rule in some hundreds of worlds', { timeout: PATIENCE_MS }, async () => {
    const failures = await runSeeds(0, process.env['STERNA_MUTATION'] ? 250 : 600, {
      listeners: (signal) => getEventListeners(signal, 'abort').length,
    });
    expect(
      failures,
      describeFailures(failures, (seed) => alone(seed)),
    ).toEqual([]);
  });

  test('is the same each time, alone or among others', { timeout: PATIENCE_MS }, async () => {
    const [stage, random] = [new Stage(), new Dice(5)];
    for (let i = 0; i < 20; i++) {
      const schedule = scheduleOf(random.below(100_000));
      const first = await run(schedule, stage);
      const others = Array.from(
        { length: 3 },
        (_, n) => new Simulation(scheduleOf(schedule.seed + n + 1), new Stage()),
      );
      const lines: string[] = [];
      const again = new Simulation(schedule, new Stage(), { trace: (line) => void lines.push(line) });
      while (again.step()) {
        for (const other of others) other.step();
        await realTurn();
      }
      expect(lines).toEqual(first.lines);
    }
  });

  test.each([
    ['one channel', scheduleOf],
    ['several channels', multifdScheduleOf],
  ])('reaches every end that a migration can come to over %s', { timeout: PATIENCE_MS }, async (_name, of) => {
    const ends = new Set<string>();
    const stage = new Stage();
    for (let seed = 0; seed < 300; seed++) {
      for (const line of (await run(of(seed), stage)).lines) {
        const [, what] = / (?:source|destination): (status .*|failed: [A-Z_]+).*$/.exec(line) ?? [];
        if (what !== undefined) ends.add(what);
      }
    }
    expect([...ends].sort()).toEqual(
      expect.arrayContaining([
        'failed: STERNA_ERR_MIGRATION_CANCELLED',
        'failed: STERNA_ERR_OWNERSHIP_UNKNOWN',
        'failed: STERNA_ERR_STREAM',
        'failed: STERNA_ERR_TRANSPORT',
        'status active',
        'status cancelled',
        'status completed',
        'status device',
        'status failed',
        'status pre-switchover',
        'status wait-unplug',
      ]),
    );
  });
});

describe('the judge notices', () => {
  test.for([
    ['nothing in a calm world', () => {}, undefined],
    [
      'a source that runs on',
      (stage: Stage) => {
        stage.source.stop = async () => {};
      },
      'the guest arrives while it runs at the source',
    ],
    [
      'disks that nobody gives up',
      (stage: Stage) => {
        stage.source.inactivateDisks = async () => {};
      },
      'both machines have disk0',
    ],
    [
      'disks that nobody takes',
      (stage: Stage) => {
        stage.destination.activateDisks = async () => {};
      },
      'the destination runs without its disks',
    ],
    [
      'a page that is lost',
      (stage: Stage) => {
        stage.destination.markWritten = (address) => {
          stage.destination.u8[address] = stage.destination.u8[address]! ^ 1;
        };
      },
      'RAM differs: sim.ram at 0x',
    ],
    [
      'writes that are not seen',
      (stage: Stage) => {
        stage.source.flushWriteTags = () => {};
      },
      'RAM differs',
    ],
    [
      'a guest that arrives in another state',
      (stage: Stage) => {
        stage.destination.start = () => stage.destination.setRunState('paused');
      },
      'the guest was running, and arrives paused',
    ],
  ] as const)('%s', async ([, spoil, expected]) => {
    const stage = new Stage();
    spoil(stage);
    // A guest that writes for a while on a slow line, so that pages travel twice.
    const schedule: Schedule = {
      ...CALM,
      guest: { state: 'running', writesPerMs: 20, span: 12 },
      network: { ...CALM.network, bytesPerMs: 2000 },
      parameters: { 'max-bandwidth': 0, 'downtime-limit': 0 },
      incidents: [{ on: { since: 'start', ms: 60 }, effect: { do: 'storm', writesPerMs: 0 } }],
    };
    const { violations } = await run(schedule, stage);
    if (expected === undefined) expect(violations).toEqual([]);
    else expect(violations.join('\n')).toContain(expected);
  });
});

test('a failing schedule becomes small', { timeout: PATIENCE_MS }, async () => {
  const spoiled = async (candidate: Schedule): Promise<string[]> => {
    const stage = new Stage();
    stage.source.inactivateDisks = async () => {};
    return (await run(candidate, stage)).violations;
  };
  const seed = await firstSeed(
    async (candidate) =>
      (await spoiled(scheduleOf(candidate))).length > 0 && scheduleOf(candidate).incidents.length > 1,
  );
  const small = await shrink(scheduleOf(seed), spoiled);
  expect(small.incidents).toEqual([]);
  expect(small.breakages).toEqual([]);
  expect(small.disks).toBeGreaterThan(0);
  expect(await spoiled(small)).not.toEqual([]);
});

async function firstSeed(matches: (seed: number) => Promise<boolean>): Promise<number> {
  for (let seed = 0; ; seed++) if (await matches(seed)) return seed;
}

describe('a simulated machine', () => {
  test('has no guest that writes while it is stopped', () => {
    const host = new SimHost('paused', [['ram', 65_536]]);
    expect(() => host.guestWrite(host.block('ram').hostOffset, 1)).toThrow('a stopped guest writes');
  });

  test('compares its memory with another', () => {
    const [a, b] = [new SimHost('running', [['ram', 65_536]]), new SimHost('running', [['ram', 65_536]])];
    expect(a.differenceFrom(b)).toBeUndefined();
    b.guestWrite(b.block('ram').hostOffset + 0x1234, 1);
    expect(a.differenceFrom(b)).toBe('ram at 0x1234');
  });
});
