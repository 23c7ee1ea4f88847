/**
 * A schedule: everything that one simulation will do, as plain data. It is made
 * from a seed, can be written down as JSON, and loses its parts one by one
 * while a failure is made smaller.
 */
import type { RunState } from '@sterna/core';
import type { WireGeneration } from '@sterna/migration';
import type { DeviceShape } from './devices.ts';
import { Dice } from './dice.ts';
import type { Direction, NetworkShape } from './network.ts';

/** One of the two machines. */
export type Side = 'source' | 'destination';

/** When something happens: some time, or some bytes, after something else. */
export interface Trigger {
  /** The beginning, the first connection, or a status that a side announces for the first time. */
  readonly since: 'start' | 'connection' | `${Side}:${string}`;
  readonly ms: number;
  /** Bytes that must have arrived since then, instead of time. */
  readonly bytes?: { readonly direction: Direction; readonly count: number };
}

/** What can happen to a connection. */
export type NetworkEffect =
  /** It is reset; both ends learn it. */
  | { readonly do: 'reset' }
  /** One direction ends as if its writer had finished. */
  | { readonly do: 'finish'; readonly direction: Direction }
  /** Half-open: nothing arrives any more in either direction, nobody learns it. */
  | { readonly do: 'silence' }
  /** The same in one direction. */
  | { readonly do: 'silence-one'; readonly direction: Direction }
  /** Nothing arrives for a while; null: until somebody gives up. */
  | { readonly do: 'stall'; readonly direction: Direction; readonly ms: number | null }
  | { readonly do: 'slow'; readonly direction: Direction; readonly bytesPerMs: number };

/** What can happen; to the main channel's connection where `channel` is left out, else to a multifd channel, from 1. */
export type Effect =
  | (NetworkEffect & { readonly channel?: number })
  /** A process ends; `dark`: with its host, so that nobody tells the peer. */
  | { readonly do: 'kill'; readonly side: Side; readonly dark: boolean }
  /** QMP commands. */
  | { readonly do: 'cancel' }
  | { readonly do: 'continue' }
  | { readonly do: 'migrate' }
  | { readonly do: 'incoming' }
  | { readonly do: 'yank'; readonly side: Side }
  | { readonly do: 'parameters'; readonly side: Side; readonly values: Readonly<Record<string, number>> }
  | { readonly do: 'capability'; readonly side: Side; readonly name: string; readonly on: boolean }
  | { readonly do: 'stop'; readonly side: Side }
  | { readonly do: 'cont'; readonly side: Side }
  /** The guest of the source powers off, crashes, falls asleep or wakes up. */
  | { readonly do: 'guest'; readonly state: RunState }
  | { readonly do: 'storm'; readonly writesPerMs: number };

/** An effect with its time. */
export interface Incident {
  readonly on: Trigger;
  readonly effect: Effect;
}

/** Something of a machine that fails. */
export interface Breakage {
  readonly side: Side;
  readonly call: 'hook' | 'inactivate' | 'activate' | 'notify';
  /** The how manieth call fails, from 0. */
  readonly nth: number;
  /** How many after it fail too. */
  readonly more: number;
}

/** Everything one simulation will do. */
export interface Schedule {
  readonly seed: number;
  readonly capabilities: Readonly<Record<Side, readonly string[]>>;
  readonly parameters: Readonly<Record<string, number>>;
  readonly wire: WireGeneration;
  readonly network: NetworkShape;
  /** How long a multifd channel's bytes take, in ms beside the network's own time, for each of them; without any: no multifd. */
  readonly multifd?: readonly number[];
  /** Attempts to connect that are refused, or never answered. */
  readonly refused: number;
  readonly unanswered: number;
  readonly guest: {
    readonly state: RunState;
    readonly writesPerMs: number;
    /** Pages it writes to. */
    readonly span: number;
  };
  readonly devices: DeviceShape;
  readonly disks: number;
  /** Time that slow hooks, draining devices and flushing disks take. */
  readonly drainMs: number;
  /** Time until a device that cannot move along has left the guest; 0: there is none, null: it never does. */
  readonly unplugMs: number | null;
  readonly autostart: boolean;
  readonly migrateMs: number;
  readonly incomingMs: number;
  readonly incidents: readonly Incident[];
  readonly breakages: readonly Breakage[];
  /** What comes when all has settled: nothing, or a migration to a fresh machine, which must succeed. */
  readonly after: 'nothing' | 'onward';
}

/** The schedule of a seed. */
export function scheduleOf(seed: number): Schedule {
  const random = new Dice(seed);
  const returnPath = random.percent(60);
  const ack = returnPath && random.percent(50);
  const capabilities = [
    ...(returnPath ? ['return-path'] : []),
    ...(ack ? ['switchover-ack'] : []),
    ...(random.percent(30) ? ['pause-before-switchover'] : []),
    ...(random.percent(15) ? ['validate-uuid'] : []),
  ];
  const bytesPerMs = random.pick([200, 1000, 5000, 20_000, 200_000, 1_000_000]);
  const network: NetworkShape = {
    latencyMs: random.pick([0, 0.05, 0.3, 2, 15]),
    bytesPerMs,
    buffer: random.pick([6000, 65_536, 65_536, 1_000_000]),
    shortReads: random.percent(50),
    lossyReset: random.percent(50),
    connectMs: random.pick([0, 0.2, 5]),
  };
  const pauses = capabilities.includes('pause-before-switchover');
  const incidents = [
    // Somebody answers a pause, mostly; otherwise the operator does, late.
    ...(pauses && random.percent(75) ? [continueIncident(random)] : []),
    ...Array.from({ length: random.pick([0, 1, 1, 1, 2, 2, 3, 5]) }, () => incident(random)),
  ];
  return {
    seed,
    capabilities: { source: capabilities, destination: random.percent(95) ? capabilities : [] },
    parameters: {
      'max-bandwidth': random.pick([0, 0, 2 ** 20, 128 * 2 ** 20]),
      'downtime-limit': random.pick([0, 1, 20, 300, 2000]),
    },
    wire: random.pick(['compat', 'qemu-7.2', 'qemu-10.0', 'qemu-11.1'] as const),
    network,
    refused: random.percent(3) ? 1 : 0,
    unanswered: random.percent(3) ? 1 : 0,
    guest: {
      state: random.pick([
        'running',
        'running',
        'running',
        'running',
        'running',
        'suspended',
        'paused',
        'shutdown',
      ] as const),
      writesPerMs: random.pick([0, 0.1, 1, 5, 20]),
      span: random.pick([1, 4, 12]),
    },
    devices: {
      initialWords: random.pick([0, 10, 60]),
      ack: random.percent(80),
      part: random.pick([5, 20, 1000]),
      cells: random.percent(60),
    },
    disks: random.pick([0, 1, 1, 3]),
    drainMs: random.pick([0, 0, 0, 0.2, 3, 15]),
    unplugMs: random.percent(95) ? 0 : random.pick([1, 300, null]),
    autostart: random.percent(90),
    migrateMs: random.percent(90) ? 1 : 0,
    incomingMs: random.percent(90) ? 0 : random.pick([1, 1.5, 3]),
    incidents,
    breakages: random.percent(30) ? [breakage(random)] : [],
    after: random.percent(25) ? 'onward' : 'nothing',
  };
}

/** The schedule of a seed with multifd: channels overtake each other, one is cut, one stalls. */
export function multifdScheduleOf(seed: number): Schedule {
  const schedule = scheduleOf(seed);
  const random = new Dice(seed * 5 + 2);
  const multifd = Array.from({ length: random.pick([1, 2, 2, 3, 5]) }, () => random.pick([0, 0, 0.1, 1, 10]));
  // Without a return path a source cannot know that its channels were never all there.
  const withAll = (list: readonly string[]) => [...new Set([...list, 'return-path', 'multifd'])];
  const channel = () => (random.percent(70) ? { channel: random.below(multifd.length + 1) } : {});
  const { capabilities, parameters, incidents } = schedule;
  const more = Array.from({ length: random.pick([0, 1, 1, 2]) }, () => ({
    on: trigger(random),
    effect: networkEffect(random),
  }));
  return {
    ...schedule,
    multifd,
    capabilities: {
      source: withAll(capabilities.source),
      destination: random.percent(97) ? withAll(capabilities.destination) : capabilities.destination,
    },
    parameters: { ...parameters, 'multifd-channels': multifd.length },
    incidents: [...incidents, ...more].filter(keepsReturnPath).map(({ on: when, effect }) => ({
      on: when,
      effect: NETWORK.has(effect.do) ? ({ ...effect, ...channel() } as Effect) : effect,
    })),
  };
}

/** Nobody types a command that takes the source's return path away. */
function keepsReturnPath({ effect }: Incident): boolean {
  return effect.do !== 'capability' || effect.name !== 'return-path' || effect.side !== 'source';
}

const NETWORK: ReadonlySet<string> = new Set(['reset', 'finish', 'silence', 'silence-one', 'stall', 'slow']);

function trigger(random: Dice): Trigger {
  const since = random.pick([
    'start',
    'connection',
    'connection',
    'source:setup',
    'source:active',
    'source:active',
    'source:pre-switchover',
    'source:device',
    'source:device',
    'source:device',
    'source:completed',
    'destination:active',
  ] as const);
  if (since === 'start' || random.percent(40)) {
    const ms = random.pick([0, 0, random.spread(20) / 20, random.spread(150), random.below(150)]);
    return { since, ms };
  }
  const direction = random.percent(80) ? 'there' : 'back';
  const most = direction === 'back' ? 20 : since === 'connection' ? 80_000 : 5000;
  const count = random.percent(50) ? random.below(most) : random.spread(most);
  return { since, ms: 0, bytes: { direction, count } };
}

function continueIncident(random: Dice): Incident {
  return {
    on: { since: 'source:pre-switchover', ms: random.pick([0, 0.1, 2, 30]) },
    effect: { do: 'continue' },
  };
}

function incident(random: Dice): Incident {
  return { on: trigger(random), effect: random.percent(60) ? networkEffect(random) : command(random) };
}

function networkEffect(random: Dice): Effect {
  const direction = random.percent(60) ? 'there' : 'back';
  switch (random.below(10)) {
    case 0:
      return { do: 'finish', direction };
    case 1:
      return { do: 'silence' };
    case 2:
      return { do: 'silence-one', direction };
    case 3:
      return { do: 'stall', direction, ms: random.percent(80) ? random.spread(200) : null };
    case 4:
      return { do: 'slow', direction, bytesPerMs: random.pick([20, 200, 2000]) };
    case 5:
      return { do: 'kill', side: 'destination', dark: random.percent(30) };
    case 6:
      return { do: 'kill', side: random.percent(50) ? 'source' : 'destination', dark: random.percent(30) };
    default:
      return { do: 'reset' };
  }
}

function command(random: Dice): Effect {
  switch (random.below(12)) {
    case 0:
      return { do: 'migrate' };
    case 1:
      return {
        do: 'parameters',
        side: 'source',
        values: random.pick([
          { 'max-bandwidth': 2 ** 20 },
          { 'max-bandwidth': 0 },
          { 'downtime-limit': 0 },
          { 'downtime-limit': 100_000 },
        ]),
      };
    case 2:
      return {
        do: 'capability',
        side: random.percent(70) ? 'source' : 'destination',
        name: random.pick(['return-path', 'pause-before-switchover', 'validate-uuid']),
        on: random.percent(50),
      };
    case 3:
      return { do: 'stop', side: random.percent(70) ? 'source' : 'destination' };
    case 4:
      return { do: 'cont', side: random.percent(70) ? 'source' : 'destination' };
    case 5:
      return {
        do: 'guest',
        state: random.pick(['shutdown', 'guest-panicked', 'io-error', 'suspended', 'suspended', 'running'] as const),
      };
    case 6:
      return { do: 'storm', writesPerMs: random.pick([0, 5, 50]) };
    case 7:
      return { do: 'incoming' };
    case 8:
      return { do: 'yank', side: random.percent(50) ? 'source' : 'destination' };
    case 9:
      return { do: 'continue' };
    default:
      return { do: 'cancel' };
  }
}

function breakage(random: Dice): Breakage {
  const call = random.pick(['hook', 'hook', 'hook', 'hook', 'inactivate', 'activate', 'notify'] as const);
  return {
    side: call === 'inactivate' || call === 'notify' || random.percent(65) ? 'source' : 'destination',
    call,
    nth: call === 'hook' ? random.spread(60) - 1 : random.below(3),
    more: random.percent(80) ? 0 : 2,
  };
}
