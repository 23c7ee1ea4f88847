import type { LoadContext, RegisterTable, RunState, SaveContext, VmStateTable } from '@sterna/core';
import { type LiveHandlers, resolveProperties } from '@sterna/core';
import {
  channelPair,
  loadVmState,
  type MigrationChannel,
  StreamReader,
  StreamWriter,
  saveVmState,
} from '@sterna/migration';
import type { VfioChip } from '../../src/chip.ts';
import { vfioStub } from '../../src/index.ts';

type Settings = Omit<Parameters<typeof vfioStub>[0], 'id' | 'at'>;
type Live = LiveHandlers<object>;
type RunStateListener = (state: RunState, previous: RunState) => void;

/** What tests look at inside the device. */
export interface Inside {
  readonly chip: VfioChip;
}

/** A device outside any machine, with a clock, a run state and warnings of its own. */
export class Rig {
  ns = 0;
  runState: RunState = 'running';
  readonly warnings: string[] = [];
  readonly blockers: string[] = [];
  readonly device: object & Inside;
  readonly registers: RegisterTable;
  readonly live: Live;
  readonly table: VmStateTable<object>;
  #onRunState: RunStateListener = () => {};

  constructor(settings: Settings = {}) {
    const { descriptor } = vfioStub;
    this.device = descriptor.create(
      resolveProperties(descriptor.properties!, settings as Record<string, unknown>, 'vfio-stub'),
      { now: () => this.ns, timer: () => ({ expiryNs: -1, arm: () => {}, cancel: () => {} }) },
      {
        runState: {
          tap: (_: string, listener: RunStateListener) => {
            this.#onRunState = listener;
          },
        },
      },
      { add: (reason: string) => void this.blockers.push(reason) },
      { warn: (text: string) => void this.warnings.push(text) },
    ) as object & Inside;
    this.registers = descriptor.registers!(this.device);
    this.live = descriptor.live as Live;
    this.table = descriptor.vmstate as VmStateTable<object>;
    this.reset();
  }

  get chip(): VfioChip {
    return this.device.chip;
  }
  reset(): void {
    (vfioStub.descriptor.reset as (state: object) => void)(this.device);
  }
  read(name: string): number {
    return this.registers[name]!.read!();
  }
  write(name: string, value: number): void {
    this.registers[name]!.write!(value);
  }
  /** Guest time passes, as it does only in a running machine. */
  pass(ms: number): void {
    if (this.runState === 'running') this.ns += ms * 1e6;
  }
  enter(state: RunState): void {
    const previous = this.runState;
    this.runState = state;
    this.#onRunState(state, previous);
  }
  /** What a guest can tell this device from another by. */
  get visible(): Record<string, number> {
    const names = ['ID', 'PAGES', 'CHECKSUM', 'RATE', 'WORKING_SET', 'WRITES_LOW', 'WRITES_HIGH', 'PAGE', 'OFFSET'];
    return Object.fromEntries(names.map((name) => [name, this.read(name)]));
  }
}

/** The bytes that `write` puts into a stream. */
export async function written(write: (stream: StreamWriter) => unknown): Promise<Uint8Array> {
  const [there, back] = channelPair();
  const parts: Uint8Array[] = [];
  const reading = (async () => {
    for (let part = await back.read(); part !== undefined; part = await back.read()) parts.push(part);
  })();
  const writer = new StreamWriter(there);
  await write(writer);
  await writer.flushed();
  await there.end();
  await reading;
  return Buffer.concat(parts);
}

/** A reader of these bytes. */
export function readerOf(bytes: Uint8Array): StreamReader {
  const left = bytes.length === 0 ? [] : [bytes];
  const channel: Pick<MigrationChannel, 'name' | 'bidirectional' | 'read'> = {
    name: 'bytes',
    bidirectional: false,
    read: async () => left.shift(),
  };
  return new StreamReader(channel as MigrationChannel);
}

/** Options of the source's side as the migration gives them. */
export function saveContext(options: Partial<SaveContext> = {}): SaveContext {
  return { budget: 2 ** 20, signal: new AbortController().signal, switchoverAck: true, ...options };
}

/** Loads one START, PART or END section; @returns whether the device approved the switchover in it. */
export async function loadPart(rig: Rig, bytes: Uint8Array, phase: LoadContext['phase']): Promise<boolean> {
  let approved = false;
  const context: LoadContext = {
    version: 1,
    phase,
    approveSwitchover: () => {
      approved = true;
    },
  };
  const reader = readerOf(bytes);
  await reader.restartable(() => rig.live.loadState(rig.device, reader, context));
  return approved;
}

/** Loads the FULL section. */
export async function loadConfig(rig: Rig, bytes: Uint8Array): Promise<void> {
  await loadVmState(readerOf(bytes), rig.table, rig.device, 1);
}

/** One section written by a live hook of the source. */
export function savePart(
  rig: Rig,
  hook: 'saveSetup' | 'saveLiveIterate' | 'saveComplete',
  options?: Partial<SaveContext>,
): Promise<Uint8Array> {
  return written((stream) => rig.live[hook]!(rig.device, stream, saveContext(options)));
}

/** The FULL section. */
export function saveConfig(rig: Rig): Promise<Uint8Array> {
  return written((stream) => saveVmState(stream, rig.table, rig.device));
}

/** Everything a migration does with the device, `rounds` parts while it runs. */
export async function migrateDevice(source: Rig, destination: Rig, rounds: number, msBetween = 1): Promise<void> {
  destination.runState = 'inmigrate';
  source.live.savePrepare!(source.device);
  const setup = await savePart(source, 'saveSetup');
  destination.live.loadSetup!(destination.device);
  await loadPart(destination, setup, 'setup');
  for (let i = 0; i < rounds; i++) {
    source.pass(msBetween);
    if (source.live.isActiveIterate!(source.device))
      await loadPart(destination, await savePart(source, 'saveLiveIterate'), 'iterate');
  }
  source.enter('finish-migrate');
  await loadPart(destination, await savePart(source, 'saveComplete'), 'complete');
  await loadConfig(destination, await saveConfig(source));
  destination.ns = source.ns;
  destination.enter('running');
  source.live.saveCleanup!(source.device);
}
