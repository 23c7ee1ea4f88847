import {
  BlockActivation,
  type Machine,
  MEMORY_LAYOUT,
  type MigrationDecision,
  type MigrationEstimate,
  type MigrationMode,
  type MigrationNotice,
  type RamBlock,
  type RunState,
  type WasmMemory,
} from '@sterna/core';
import type { DirtyingCpus } from './dirty-limit/dirtying-cpus.ts';
import type { BufferArea, MigrationEvent, MigrationHost, StateSection } from './host.ts';
import { Pace } from './pace.ts';
import { bufferAreaSize } from './ram/blocks.ts';

/** What a migration wants to tell beside changes of the run state. */
export interface MigrationObserver {
  /** MIGRATION and MIGRATION_PASS, for the control plane. */
  event(event: MigrationEvent): void;
  /** A line for the user. */
  report(text: string): void;
}

const areas = new WeakMap<Machine, BufferArea>();

/** Core's machine as a migration's host. */
export class MachineMigrationHost implements MigrationHost {
  readonly machineName: string;
  readonly uuid?: Uint8Array;
  readonly memory: WasmMemory;
  readonly slowAtFirst: boolean = true;
  readonly pageFlags: number = MEMORY_LAYOUT.pageFlags;
  readonly buffers: BufferArea;
  readonly #machine: Machine;
  readonly #observer: MigrationObserver;

  constructor(machine: Machine, observer: MigrationObserver) {
    this.#machine = machine;
    this.#observer = observer;
    this.machineName = machine.setup.type.name;
    this.memory = machine.memory.memory;
    this.buffers = bufferArea(machine);
    const { uuid } = machine.setup;
    if (uuid !== undefined) this.uuid = uuidBytes(uuid);
  }

  /** Time of the machine's host. */
  get pace(): Pace {
    const { loop, clock } = this.#machine.host;
    return new Pace(loop, clock);
  }
  get runState(): RunState {
    return this.#machine.runState;
  }
  stop(state: RunState): void {
    this.#machine.stop(state);
  }
  start(): void {
    this.#machine.start();
  }
  setRunState(state: RunState): void {
    this.#machine.setRunState(state);
  }
  get wasSuspended(): boolean {
    return this.#machine.wasSuspended;
  }
  set wasSuspended(asleep: boolean) {
    this.#machine.wasSuspended = asleep;
  }
  reset(): void {
    this.#machine.requestReset('none');
  }
  sections(): readonly StateSection[] {
    return this.#machine.sections();
  }
  blockedReasons(mode: MigrationMode): readonly string[] {
    return this.#machine.blockers.reasons(mode);
  }
  followMigration(migrating: () => boolean): void {
    // A snapshot is a migration into a file.
    this.#machine.blockers.busy = () => migrating() || this.#machine.runState === 'save-vm';
  }
  notify(notice: MigrationNotice): Promise<void> {
    return this.#machine.notifiers.notify(notice, (text) => this.report(text));
  }
  async inactivateDisks(): Promise<void> {
    await this.#disks?.inactivateAll();
  }
  async activateDisks(): Promise<void> {
    await this.#disks?.activateAll();
  }
  get #disks(): BlockActivation | undefined {
    return this.#machine.scope.find(BlockActivation);
  }
  ramBlocks(): readonly RamBlock[] {
    return this.#machine.memory.blocks;
  }
  resizeRam(block: RamBlock, usedLength: number): void {
    this.#machine.memory.resize(block, usedLength);
  }
  markWritten(hostAddress: number, length: number): void {
    this.#machine.memory.markWritten(hostAddress, length);
  }
  flushWriteTags(): void {
    for (const cpu of this.#machine.cpus) cpu.flushWriteTags();
  }
  throttle(percentage: number): void {
    this.#machine.loop.throttle = percentage;
  }
  get dirtying(): DirtyingCpus | undefined {
    const { cpus, loop } = this.#machine;
    if (cpus.some((cpu) => cpu.dirtied === undefined)) return undefined;
    return {
      count: cpus.length,
      dirtied: (index) => cpus[index]!.dirtied!,
      limit: (index, pagesPerSecond) => loop.limitDirtying(cpus[index]!, pagesPerSecond),
      takeLongestRest: () => loop.takeLongestRest(),
    };
  }
  decide(estimate: MigrationEstimate): MigrationDecision | undefined {
    return this.#machine.hooks.migrationRound.call(estimate);
  }
  emit(event: MigrationEvent): void {
    this.#observer.event(event);
  }
  report(text: string): void {
    this.#observer.report(text);
  }
}

/** The area is set aside once for each machine, however often it migrates. */
function bufferArea(machine: Machine): BufferArea {
  const known = areas.get(machine);
  if (known !== undefined) return known;
  const size = bufferAreaSize(machine.memory.u8.length - MEMORY_LAYOUT.ram);
  const area = { offset: machine.memory.reserveHostArea(size), size };
  areas.set(machine, area);
  return area;
}

function uuidBytes(uuid: string): Uint8Array {
  const digits = uuid.replaceAll('-', '');
  return Uint8Array.from({ length: 16 }, (_, i) => Number.parseInt(digits.slice(i * 2, i * 2 + 2), 16));
}
