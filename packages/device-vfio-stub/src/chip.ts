import { type PreCopyInfo, ResumingSession, SavingSession } from './data-session.ts';
import type { Faults } from './faults.ts';
import type { LoadGenerator } from './load-generator.ts';
import { isPreCopy, isWorking, statePath, type VfioFeatures, type VfioState } from './states.ts';
import type { StubMemory } from './stub-memory.ts';

/** What a {@link VfioChip} is made of. */
export interface ChipOptions {
  readonly features: VfioFeatures;
  readonly initialPages: number;
  readonly stopCopyPages: number;
  /** Whether the device knows what it changes while it works. */
  readonly tracking: boolean;
  readonly faults: Faults;
}

/**
 * The device and its kernel driver, behind VFIO's migration interface: a state that is asked for, and data to read or
 * write in some of the states. It knows nothing of streams and of machines.
 */
export class VfioChip {
  readonly memory: StubMemory;
  readonly load: LoadGenerator;
  readonly features: VfioFeatures;
  readonly #options: ChipOptions;
  #state: VfioState = 'RUNNING';
  #saving: SavingSession | undefined;
  #resuming: ResumingSession | undefined;

  constructor(memory: StubMemory, load: LoadGenerator, options: ChipOptions) {
    this.memory = memory;
    this.load = load;
    this.features = options.features;
    this.#options = options;
    memory.onWrite = (page) => this.#saving?.mark(page);
  }

  get state(): VfioState {
    return this.#state;
  }

  /**
   * Takes the device to another state, arc by arc (`VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE`).
   *
   * @throws RangeError when there is no way; nothing has happened then. When an arc fails the device is in the last state
   *   it has reached, or in ERROR if it cannot tell what it has become
   */
  request(to: VfioState): void {
    const path = statePath(this.#state, to, this.features);
    if (path === undefined) throw new RangeError(`a VFIO device cannot go from ${this.#state} to ${to}`);
    for (const next of path) {
      this.#options.faults.check('transition', `the transition from ${this.#state} to ${next}`);
      this.#arc(next);
    }
  }

  #arc(next: VfioState): void {
    const from = this.#state;
    if (from === 'RESUMING') {
      if (this.#resuming?.complete !== true) {
        this.fail();
        throw new RangeError('the device has not got all of its data and is in ERROR');
      }
      this.#resuming = undefined;
    }
    if (next === 'RESUMING') this.#resuming = new ResumingSession(this.memory);
    if (isPreCopy(next) && !isPreCopy(from)) this.#saving = new SavingSession(this.memory, this.#options);
    this.#enter(next);
    if (next === 'STOP_COPY') {
      this.#saving ??= new SavingSession(this.memory, this.#options);
      this.#saving.stop();
    }
    if (next === 'RUNNING' || next === 'RUNNING_P2P' || next === 'STOP') this.#saving = undefined;
  }

  /** What the load has done by now goes into the session that is open until here. */
  #enter(state: VfioState): void {
    this.load.work(isWorking(state));
    this.#state = state;
  }

  /** The device has lost its way; only {@link VfioChip.reset} helps. */
  fail(): void {
    this.#saving = undefined;
    this.#resuming = undefined;
    this.#enter('ERROR');
  }

  /** `VFIO_DEVICE_RESET`: sessions end, the device has forgotten everything and works. */
  reset(): void {
    this.#saving = undefined;
    this.#resuming = undefined;
    this.clear();
    this.#enter('RUNNING');
  }

  /** What a reset means to the guest: memory and load as at the start. */
  clear(): void {
    this.load.reset();
    this.memory.fill(0);
  }

  /** What is left for a working device; nothing in other states (`VFIO_MIG_GET_PRECOPY_INFO`). */
  preCopyInfo(): PreCopyInfo {
    this.load.catchUp();
    return isPreCopy(this.#state) ? this.#saving!.info : { initialBytes: 0, dirtyBytes: 0 };
  }

  /** What stopping would leave to read (`VFIO_DEVICE_FEATURE_MIG_DATA_SIZE`). */
  stopCopySize(): number {
    this.load.catchUp();
    return (this.#saving ?? new SavingSession(this.memory, this.#options)).stopCopySize;
  }

  /** Reads from the saving session; see {@link SavingSession.read}. @throws RangeError without one */
  read(most: number): Uint8Array {
    if (this.#saving === undefined) throw new RangeError(`nothing can be read from a device in ${this.#state}`);
    this.#options.faults.check('read', 'reading device data');
    this.load.catchUp();
    return this.#saving.read(most);
  }

  /** Writes to the resuming session. @throws RangeError without one, or for data that are not a device's */
  write(bytes: Uint8Array): void {
    if (this.#resuming === undefined) throw new RangeError(`nothing can be written to a device in ${this.#state}`);
    this.#options.faults.check('write', 'writing device data');
    this.#resuming.write(bytes);
  }

  /** Whether the resuming session has got all of the device's data. */
  get resumed(): boolean {
    return this.#resuming?.complete === true;
  }

  /** @throws RangeError when the device has not got all its data: a configuration would belong to another state */
  checkResumed(): void {
    if (this.#resuming?.complete !== true) throw new RangeError('the configuration comes before the end of the data');
    this.#options.faults.check('load', 'loading the configuration');
  }
}
