/**
 * Devices of simulated machines: one with a plain table, one that is sent while
 * it works, one whose initial data must have arrived before the switchover, one
 * with much state behind a slow drain. The guest works on all of them, and their
 * state can be compared across machines.
 */
import type { LiveHandlers, LoadStream, SaveStream, VmStateTable } from '@sterna/core';
import type { StateSection } from '@sterna/migration';
import type { Dice } from './dice.ts';

/**
 * What a simulation may put in front of a device's hook: it throws, or returns a promise for hooks that may take
 * time. Synchronous hooks get the error thrown and no promise.
 */
export type HookGate = (hook: string, mayWait: boolean) => Promise<void> | undefined;

/** A device with a table: counter, timer, array, a subsection that comes and goes. */
export class PlainDevice {
  ticks = 0;
  deadline = -1n;
  readonly log: Uint32Array = new Uint32Array(4);

  reset(): void {
    this.ticks = 0;
    this.deadline = -1n;
    this.log.fill(0);
  }
  work(random: Dice): void {
    this.ticks++;
    this.deadline = BigInt(random.next());
    this.log[random.below(4)] = random.next();
  }
  fingerprint(): string {
    return `${this.ticks} ${this.deadline} ${this.log.join(' ')}`;
  }
}

/** A device whose log grows and is sent in parts. */
export class LogDevice {
  words: number[] = [];
  sent = 0;
  /** Words that must have arrived before it approves of the switchover. */
  readonly initial: number;
  /** Words in one part. */
  readonly part: number;
  /** Attempts to save begun and cleaned up, and the same for loads. */
  open = 0;

  constructor(initial: number, part: number) {
    this.initial = initial;
    this.part = part;
  }
  reset(): void {
    this.words = [];
  }
  work(random: Dice): void {
    if (this.words.length < 400) this.words.push(random.next());
  }
  fingerprint(): string {
    return this.words.join(' ');
  }
  send(stream: SaveStream, most: number): void {
    const end = Math.min(this.words.length, this.sent + most);
    stream.u32(this.sent);
    stream.u32(end - this.sent);
    for (; this.sent < end; this.sent++) stream.u32(this.words[this.sent]!);
  }
  receive(stream: LoadStream): void {
    const first = stream.u32();
    const words = Array.from({ length: stream.u32() }, () => stream.u32());
    if (first > this.words.length) throw new RangeError(`words from ${first}, only ${this.words.length} are here`);
    this.words.splice(first, words.length, ...words);
  }
}

/** Small memory of a device: cells the guest changes anywhere, sent when dirty. */
export class CellDevice {
  readonly cells: Uint32Array = new Uint32Array(64);
  readonly dirty: Uint8Array = new Uint8Array(64);
  left = 0;
  open = 0;

  reset(): void {
    this.cells.fill(0);
  }
  work(random: Dice): void {
    const at = random.below(64);
    this.cells[at] = random.next();
    this.left += 1 - this.dirty[at]!;
    this.dirty[at] = 1;
  }
  fingerprint(): string {
    return this.cells.join(' ');
  }
  send(stream: SaveStream, most: number): void {
    let count = Math.min(most, this.left);
    this.left -= count;
    stream.u16(count);
    for (let at = 0; count > 0; at++) {
      if (this.dirty[at] === 0) continue;
      count--;
      stream.u8(at);
      stream.u32(this.cells[at]!);
      this.dirty[at] = 0;
    }
  }
  receive(stream: LoadStream): void {
    const cells = Array.from({ length: stream.u16() }, () => [stream.u8(), stream.u32()] as const);
    for (const [at, value] of cells) this.cells[at] = value;
  }
}

/** A device that must be there before RAM is, and does not change while the guest runs. */
export class EarlyDevice {
  layout = 0;

  reset(): void {
    this.layout = 0;
  }
  work(random: Dice): void {
    // Decided when the machine is made.
    if (this.layout === 0) this.layout = 1 + random.below(1000);
  }
  fingerprint(): string {
    return `${this.layout}`;
  }
}

const earlyTable: VmStateTable<EarlyDevice> = {
  name: 'early',
  version: 1,
  earlySetup: true,
  fields: ({ u32 }) => [u32('layout')],
};

/** A device of any kind, as the simulation sees it. */
export interface SimDevice {
  /** For messages; its class's by default. */
  readonly name?: string;
  /** As it was when the machine was made. */
  reset(): void;
  work(random: Dice): void;
  fingerprint(): string;
  /** The machine has started or stopped. */
  runs?(running: boolean): void;
  /** The simulation is over. */
  dispose?(): void;
}

/** The machine that devices are made for. */
export interface SimDevicePlace {
  readonly side: 'source' | 'destination';
  /** To be put in front of hooks, which then take time or fail as the schedule says. */
  readonly gate: HookGate;
}

/** Makes further devices of a machine; called for each machine of each simulation. */
export type DeviceFactory = (place: SimDevicePlace) => DeviceSet;

/** Devices of several sets as one. */
export function joined(sets: readonly DeviceSet[]): DeviceSet {
  return {
    devices: sets.flatMap(({ devices }) => devices),
    sections: sets.flatMap(({ sections }) => sections),
    get open() {
      return sets.reduce((sum, { open }) => sum + open, 0);
    },
  };
}

/** Which devices of the simulation's own a machine has. */
export interface DeviceShape {
  /** Words of the log at the start that the switchover must wait for; 0 leaves the log device out. */
  readonly initialWords: number;
  /** Whether the log asks the source to wait for them (capability switchover-ack). */
  readonly ack: boolean;
  /** Words or cells in one part. */
  readonly part: number;
  /** With a device of cells, and one that is sent before everything else. */
  readonly cells: boolean;
}

/** Devices of one machine with their sections. */
export interface DeviceSet {
  readonly devices: readonly SimDevice[];
  readonly sections: readonly StateSection[];
  /** Attempts that were begun and not cleaned up. */
  readonly open: number;
}

/** Makes a machine's devices. @param gate stands before every hook @param unplugPending of one that cannot move along */
export function makeDevices(shape: DeviceShape, gate: HookGate, unplugPending: () => boolean = () => false): DeviceSet {
  const plain = new PlainDevice();
  const devices: (SimDevice & { open?: number })[] = [plain];
  const sections: StateSection[] = [
    { idstr: 'plain', instanceId: 0, vmstate: plainTable(gate, unplugPending), state: plain },
  ];
  if (shape.cells) {
    const early = new EarlyDevice();
    devices.push(early);
    sections.push({ idstr: 'early', instanceId: 0, vmstate: earlyTable, state: early });
    const cells = new CellDevice();
    devices.push(cells);
    sections.push({
      idstr: 'cells',
      instanceId: 0,
      vmstate: 'stateless',
      state: cells,
      live: cellHandlers(shape, gate),
    });
  }
  if (shape.initialWords > 0) {
    const log = new LogDevice(shape.initialWords, shape.part);
    devices.push(log);
    sections.push({ idstr: 'log', instanceId: 2, vmstate: 'stateless', state: log, live: logHandlers(shape, gate) });
  }
  return {
    devices,
    sections,
    get open() {
      return devices.reduce((sum, { open = 0 }) => sum + open, 0);
    },
  };
}

function plainTable(gate: HookGate, unplugPending: () => boolean): VmStateTable<PlainDevice> {
  return {
    name: 'plain',
    version: 1,
    unplugPending,
    preSave: () => void gate('preSave', false),
    postLoad: () => void gate('postLoad', false),
    fields: ({ u32, timer, array }) => [u32('ticks'), timer('deadline'), array('u32', 'log', 4)],
    subsections: [
      { name: 'plain/odd', version: 1, needed: (plain) => plain.ticks % 2 === 1, fields: ({ u32 }) => [u32('ticks')] },
    ],
  };
}

function logHandlers({ ack }: DeviceShape, gate: HookGate): LiveHandlers<LogDevice> {
  return {
    version: 1,
    savePrepare: () => void gate('savePrepare', false),
    saveSetup(log) {
      log.sent = 0;
      log.open++;
      return gate('saveSetup', true);
    },
    async saveLiveIterate(log, stream) {
      await gate('saveLiveIterate', true);
      log.send(stream, log.part);
      return log.sent < log.words.length ? 'more' : 'done';
    },
    statePendingEstimate: (log) => ({ mustPrecopy: (log.words.length - log.sent) * 4, canPostcopy: 0 }),
    switchoverStart: () => void gate('switchoverStart', false),
    async saveComplete(log, stream) {
      await gate('saveComplete', true);
      log.send(stream, Number.POSITIVE_INFINITY);
    },
    saveCleanup(log) {
      log.open = 0;
      gate('saveCleanup', false);
    },
    loadSetup(log) {
      log.words = [];
      log.open++;
      gate('loadSetup', false);
    },
    loadState(log, stream, { phase, approveSwitchover }) {
      gate('loadState', false);
      if (phase !== 'setup') log.receive(stream);
      if (log.words.length >= log.initial) approveSwitchover();
    },
    loadCleanup(log) {
      log.open = 0;
      gate('loadCleanup', false);
    },
    switchoverAckNeeded: () => ack,
  };
}

function cellHandlers({ part }: DeviceShape, gate: HookGate): LiveHandlers<CellDevice> {
  return {
    version: 1,
    saveSetup(cells) {
      cells.dirty.fill(1);
      cells.left = cells.cells.length;
      cells.open++;
    },
    saveLiveIterate(cells, stream) {
      gate('saveLiveIterate', false);
      cells.send(stream, part);
      return cells.left > 0 ? 'more' : 'done';
    },
    isActiveIterate: (cells) => cells.left > 0,
    statePendingEstimate: (cells) => ({ mustPrecopy: cells.left * 5, canPostcopy: 0 }),
    statePendingExact: (cells) => ({ mustPrecopy: cells.left * 5, canPostcopy: 0 }),
    saveComplete(cells, stream) {
      gate('saveComplete', false);
      cells.send(stream, Number.POSITIVE_INFINITY);
    },
    saveCleanup(cells) {
      cells.open = 0;
    },
    loadSetup(cells) {
      cells.open++;
    },
    loadState(cells, stream, { phase }) {
      gate('loadState', false);
      if (phase !== 'setup') cells.receive(stream);
    },
    loadCleanup(cells) {
      cells.open = 0;
    },
  };
}
