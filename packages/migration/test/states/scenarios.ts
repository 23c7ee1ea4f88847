/** What is done to two machines, QEMU's or ours, to see which states they go through. */

/** One machine: commands in, events out. */
export interface Side {
  /** MIGRATION's statuses, STOP, RESUME, SUSPEND and WAKEUP, in order. */
  readonly events: string[];
  /** Runs a QMP command. @throws Error when it is refused */
  command(execute: string, args?: Readonly<Record<string, unknown>>): Promise<unknown>;
  /** Run state now. */
  runState(): Promise<string>;
  /** Ends the process, without a goodbye. */
  kill(): void;
}

/** How a scenario wants its machines. */
export interface Start {
  readonly incoming?: boolean;
  /** `-S`. */
  readonly paused?: boolean;
  /** A guest that goes to sleep. */
  readonly sleeper?: boolean;
  /** Another memory size than the source's. */
  readonly otherMemory?: boolean;
}

/** Makes machines of one kind. */
export interface Bench {
  start(name: string, options: Start): Promise<Side>;
  /** A place that two machines of this bench can meet at. */
  uri(name: string): string;
}

/** What became of a machine. */
export interface Outcome {
  readonly events: readonly string[];
  readonly runState: string;
}

/** A scenario: leaves source and, if it lives, destination as they ended. */
export interface Scenario {
  readonly name: string;
  /** QEMU 7.2 does something else each time, or what later versions call wrong. */
  readonly not72?: true;
  run(bench: Bench): Promise<{ source: Side; destination?: Side }>;
}

/** Waits for an event to have come so often. */
export async function seen(side: Side, event: string, times = 1): Promise<void> {
  for (let i = 0; i < 1500; i++) {
    if (side.events.filter((other) => other === event).length >= times) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`no ${event} in ${side.events.join(', ')}`);
}

async function pair(
  bench: Bench,
  from: Start = {},
  to: Start = {},
): Promise<{ source: Side; destination: Side; uri: string }> {
  const source = await bench.start('source', from);
  const destination = await bench.start('destination', { incoming: true, ...to });
  const uri = bench.uri('meet');
  await destination.command('migrate-incoming', { uri });
  return { source, destination, uri };
}

function capability(side: Side, name: string, state = true): Promise<unknown> {
  return side.command('migrate-set-capabilities', { capabilities: [{ capability: name, state }] });
}

/** So little bandwidth that a migration stays `active`. */
function slow(side: Side): Promise<unknown> {
  return side.command('migrate-set-parameters', { 'max-bandwidth': 20_000, 'downtime-limit': 1 });
}
function fast(side: Side): Promise<unknown> {
  return side.command('migrate-set-parameters', { 'max-bandwidth': 1_000_000_000, 'downtime-limit': 30_000 });
}

/** Migrates to the end, whatever the machines are. */
async function through(
  bench: Bench,
  from: Start = {},
  to: Start = {},
  before?: (s: Side, d: Side) => Promise<unknown>,
) {
  const { source, destination, uri } = await pair(bench, from, to);
  await before?.(source, destination);
  await source.command('migrate', { uri });
  await seen(source, 'completed');
  await seen(destination, 'completed');
  return { source, destination };
}

/** A second destination, for a second attempt. */
async function again(bench: Bench, source: Side): Promise<Side> {
  const destination = await bench.start('second', { incoming: true });
  const uri = bench.uri('again');
  await destination.command('migrate-incoming', { uri });
  source.events.length = 0;
  await fast(source);
  await source.command('migrate', { uri });
  await seen(source, 'completed');
  await seen(destination, 'completed');
  return destination;
}

async function preSwitchover(bench: Bench, from: Start = {}, before?: (source: Side) => Promise<unknown>) {
  const { source, destination, uri } = await pair(bench, from, { sleeper: from.sleeper === true });
  if (from.sleeper === true) await seen(source, 'SUSPEND');
  await before?.(source);
  await capability(source, 'pause-before-switchover');
  await source.command('migrate', { uri });
  await seen(source, 'pre-switchover');
  return { source, destination };
}

async function cancelled(source: Side): Promise<void> {
  await source.command('migrate_cancel');
  await seen(source, 'cancelled');
}

/** All of them. */
export const SCENARIOS: readonly Scenario[] = [
  { name: 'a running guest', run: (bench) => through(bench) },
  {
    name: 'with a return path',
    run: (bench) =>
      through(bench, {}, {}, async (source, destination) => {
        await capability(source, 'return-path');
        await capability(destination, 'return-path');
      }),
  },
  { name: 'a paused guest', run: (bench) => through(bench, {}, {}, (source) => source.command('stop')) },
  { name: 'a guest that never ran', run: (bench) => through(bench, { paused: true }) },
  { name: 'to a destination with -S', run: (bench) => through(bench, {}, { paused: true }) },
  {
    name: 'to a destination that was told to stop',
    run: (bench) => through(bench, {}, {}, (_, destination) => destination.command('stop')),
  },
  {
    name: 'to a destination with -S that was told to go on',
    run: (bench) => through(bench, {}, { paused: true }, (_, destination) => destination.command('cont')),
  },
  {
    name: 'with a pause before the switchover',
    async run(bench) {
      const both = await preSwitchover(bench);
      await both.source.command('migrate-continue', { state: 'pre-switchover' });
      await seen(both.source, 'completed');
      await seen(both.destination, 'completed');
      return both;
    },
  },
  {
    name: 'cancelled before the switchover',
    async run(bench) {
      const both = await preSwitchover(bench);
      await cancelled(both.source);
      return { source: both.source };
    },
  },
  {
    name: 'a paused guest, cancelled before the switchover',
    not72: true,
    async run(bench) {
      const both = await preSwitchover(bench, {}, (source) => source.command('stop'));
      await cancelled(both.source);
      return { source: both.source };
    },
  },
  {
    name: 'cancelled while active',
    async run(bench) {
      const { source, uri } = await pair(bench);
      await slow(source);
      await source.command('migrate', { uri });
      await seen(source, 'active');
      await cancelled(source);
      // Nothing comes of a second one.
      await source.command('migrate_cancel');
      return { source };
    },
  },
  {
    name: 'a second attempt after a cancel',
    async run(bench) {
      const { source, uri } = await pair(bench);
      await slow(source);
      await source.command('migrate', { uri });
      await seen(source, 'active');
      await cancelled(source);
      return { source, destination: await again(bench, source) };
    },
  },
  {
    name: 'a destination that dies',
    async run(bench) {
      const { source, destination, uri } = await pair(bench);
      await slow(source);
      await source.command('migrate', { uri });
      await seen(source, 'active');
      await new Promise((resolve) => setTimeout(resolve, 300));
      destination.kill();
      await seen(source, 'failed');
      return { source };
    },
  },
  {
    name: 'a second attempt after a failure, and a cancel that is too late',
    async run(bench) {
      const source = await bench.start('source', {});
      await source.command('migrate', { uri: bench.uri('nobody') });
      await seen(source, 'failed');
      const destination = await again(bench, source);
      await source.command('migrate_cancel');
      return { source, destination };
    },
  },
  {
    name: 'nobody at the address',
    async run(bench) {
      const source = await bench.start('source', {});
      await source.command('migrate_cancel');
      await source.command('migrate', { uri: bench.uri('nobody') }).catch(() => {});
      await seen(source, 'failed');
      return { source };
    },
  },
  {
    name: 'a guest that sleeps',
    not72: true,
    async run(bench) {
      const { source, destination, uri } = await pair(bench, { sleeper: true }, { sleeper: true });
      await seen(source, 'SUSPEND');
      await source.command('migrate', { uri });
      await seen(destination, 'completed');
      await seen(source, 'completed');
      return { source, destination };
    },
  },
  {
    name: 'a guest that sleeps, to a destination with -S, and on',
    not72: true,
    async run(bench) {
      const { source, destination, uri } = await pair(bench, { sleeper: true }, { sleeper: true, paused: true });
      await seen(source, 'SUSPEND');
      await source.command('migrate', { uri });
      await seen(destination, 'completed');
      await seen(source, 'completed');
      await destination.command('cont');
      await seen(destination, 'RESUME');
      return { source, destination };
    },
  },
  {
    name: 'a guest that sleeps, cancelled before the switchover',
    not72: true,
    async run(bench) {
      const both = await preSwitchover(bench, { sleeper: true });
      await cancelled(both.source);
      return { source: both.source };
    },
  },
];

/** Runs a scenario and notes what came of it. */
export async function observe(scenario: Scenario, bench: Bench): Promise<Record<string, Outcome>> {
  const sides = await scenario.run(bench);
  // What comes late belongs to it too.
  await new Promise((resolve) => setTimeout(resolve, 150));
  const outcomes: Record<string, Outcome> = {};
  for (const [name, side] of Object.entries(sides) as [string, Side][])
    outcomes[name] = { events: [...side.events], runState: await side.runState() };
  return outcomes;
}
