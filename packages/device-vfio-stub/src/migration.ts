/**
 * The side of a VFIO device that talks to the migration (QEMU
 * hw/vfio/migration.c, v10.0): when the device changes its state, and what
 * of it goes into the stream.
 */
import type {
  DeviceStateChannels,
  LiveHandlers,
  Logger,
  PendingState,
  RunState,
  SaveContext,
  SaveStream,
} from '@sterna/core';
import type { VfioChip } from './chip.ts';
import { MAX_CHUNK } from './data-session.ts';
import { encodePacket, PacketQueue } from './packets.ts';
import { isPreCopy, type VfioState } from './states.ts';
import { readParts, VFIO_TAG, writeData } from './wire.ts';

/** The migration side of one device. */
export class VfioMigration {
  readonly chip: VfioChip;
  readonly #logger: Pick<Logger, 'warn'>;
  readonly #multifd: 'auto' | 'on' | 'off';
  /** What the device said it has left, less what has been sent since. */
  #initialBytes = 0;
  #dirtyBytes = 0;
  #initialDataSent = false;
  /** What comes over channels of its own, in order again; and whoever waits for all of it. */
  #packets: PacketQueue | undefined;
  #loaded: PromiseWithResolvers<void> = Promise.withResolvers();
  /** A state change beside the stream that failed; ends the migration at its next call. */
  #failure: unknown;

  /** @param multifd - Whether device data go over channels of their own; `auto`: where there are any. */
  constructor(chip: VfioChip, logger: Pick<Logger, 'warn'>, multifd: 'auto' | 'on' | 'off' = 'auto') {
    this.chip = chip;
    this.#logger = logger;
    this.#multifd = multifd;
  }

  /** The machine runs or stands still: the device follows. */
  runState(state: RunState, previous: RunState): void {
    if (isLive(state) === isLive(previous)) return;
    try {
      if (isLive(state)) this.#start();
      else this.#stop(state);
    } catch (error) {
      this.#failure ??= error;
      this.#logger.warn(`${error instanceof Error ? error.message : error}; the device is in ${this.chip.state}`);
    }
  }

  #start(): void {
    try {
      this.chip.request('RUNNING');
    } catch (error) {
      // A guest must not run beside a device that stands still: better one that has forgotten.
      this.chip.reset();
      throw error;
    }
  }

  #stop(state: RunState): void {
    const preCopy = isPreCopy(this.chip.state);
    if (this.chip.features.p2p) this.chip.request(preCopy ? 'PRE_COPY_P2P' : 'RUNNING_P2P');
    // A migration that paused the machine, or is under way while the user did, goes on with this session.
    const goesOn = preCopy && (state === 'finish-migrate' || state === 'paused');
    this.chip.request(goesOn ? 'STOP_COPY' : 'STOP');
  }

  savePrepare(): void {
    if (this.chip.state === 'ERROR') throw new RangeError('the device is in ERROR; only a reset brings it back');
  }

  saveSetup(stream: SaveStream, context: SaveContext): void {
    if (this.#multifd === 'on' && context.stateChannels === undefined)
      throw new RangeError(
        'x-migration-multifd-transfer=on needs the capability multifd without compression, and a wire generation with ' +
          'SWITCHOVER_START (qemu-10.0 or later)',
      );
    this.#initialDataSent = false;
    this.#failure = undefined;
    if (this.chip.features.preCopy && this.chip.state === 'RUNNING') this.chip.request('PRE_COPY');
    this.#query();
    stream.u64(VFIO_TAG.setupState);
    stream.u64(VFIO_TAG.endOfState);
  }

  #query(): void {
    const { initialBytes, dirtyBytes } = this.chip.preCopyInfo();
    this.#initialBytes = initialBytes;
    this.#dirtyBytes = dirtyBytes;
  }

  get active(): boolean {
    return isPreCopy(this.chip.state);
  }

  estimate(): PendingState {
    return { mustPrecopy: this.active ? this.#initialBytes + this.#dirtyBytes : 0, canPostcopy: 0 };
  }

  exact(): PendingState {
    this.#query();
    return { mustPrecopy: this.chip.stopCopySize(), canPostcopy: 0 };
  }

  /** One read, and the mark behind the initial data when it is through. */
  iterate(stream: SaveStream, context: SaveContext): 'more' | 'done' {
    this.#throwFailure();
    this.#send(stream, Math.min(context.budget, MAX_CHUNK));
    if (context.switchoverAck && this.#initialBytes === 0 && !this.#initialDataSent) {
      stream.u64(VFIO_TAG.initDataSent);
      this.#initialDataSent = true;
    } else stream.u64(VFIO_TAG.endOfState);
    return this.#initialBytes + this.#dirtyBytes > 0 ? 'more' : 'done';
  }

  /** Sends one read of at most so many bytes. @returns false when the device has nothing to say */
  #send(stream: SaveStream, most: number): boolean {
    const bytes = this.chip.read(most);
    if (bytes.length === 0) {
      // The estimate was of a device that has less now.
      this.#initialBytes = this.#dirtyBytes = 0;
      return false;
    }
    writeData(stream, bytes);
    const initial = Math.min(bytes.length, this.#initialBytes);
    this.#initialBytes -= initial;
    this.#dirtyBytes = Math.max(0, this.#dirtyBytes - (bytes.length - initial));
    return true;
  }

  /** Device data over channels of their own; the last packet says that it is the last. */
  async sendPackets(context: SaveContext): Promise<void> {
    const channels = this.#channels(context);
    if (channels === undefined) return;
    this.#throwFailure();
    this.chip.request('STOP_COPY');
    let number = 0;
    for (let bytes = this.chip.read(MAX_CHUNK); bytes.length > 0; bytes = this.chip.read(MAX_CHUNK))
      await channels.send(encodePacket(number++, bytes, false));
    await channels.send(encodePacket(number, new Uint8Array(), true));
  }

  #channels({ stateChannels }: SaveContext): DeviceStateChannels | undefined {
    return this.#multifd === 'off' ? undefined : stateChannels;
  }

  complete(stream: SaveStream, context: SaveContext): void {
    if (this.#channels(context) !== undefined) {
      stream.u64(VFIO_TAG.endOfState);
      return;
    }
    this.#throwFailure();
    this.chip.request('STOP_COPY');
    while (this.#send(stream, MAX_CHUNK));
    stream.u64(VFIO_TAG.endOfState);
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Ends the session, whatever came of it. The guest may run again already, or never. */
  saveCleanup(): void {
    const { state } = this.chip;
    if (isPreCopy(state)) this.#leave(state === 'PRE_COPY' ? 'RUNNING' : 'RUNNING_P2P');
    else if (state === 'STOP_COPY') this.#leave('STOP');
  }

  #leave(to: VfioState): void {
    try {
      this.chip.request(to);
    } catch (error) {
      this.chip.reset();
      throw error;
    }
  }

  loadSetup(): void {
    // A load that failed half way has left its session open.
    if (this.chip.state === 'RESUMING' || this.chip.state === 'ERROR') this.chip.reset();
    this.chip.request('RESUMING');
    this.#packets = new PacketQueue((bytes) => this.chip.write(bytes));
    this.#loaded = Promise.withResolvers();
  }

  /** Takes device data from the main channel. */
  load(bytes: Uint8Array): void {
    this.chip.write(bytes);
    if (this.chip.resumed) this.#loaded.resolve();
  }

  /** Takes a packet. */
  loadPacket(packet: Uint8Array): void {
    if (this.#packets === undefined) throw new RangeError('a packet comes, and no load has begun');
    this.#packets.add(packet);
    if (this.#packets.ended) this.#loaded.resolve();
  }

  /** Loads packets, now that all before the switchover is there. Resolves when the device has all, whatever way it came. */
  async loadPackets(): Promise<void> {
    this.#packets?.begin();
    if (this.#packets?.ended === true || this.chip.resumed) return;
    await this.#loaded.promise;
  }
}

function isLive(state: RunState): boolean {
  return state === 'running' || state === 'suspended';
}

/** VFIO's live phases over a device that has a {@link VfioMigration}. */
export const vfioLive: LiveHandlers<{ readonly migration: VfioMigration }> = {
  version: 1,
  savePrepare: ({ migration }) => migration.savePrepare(),
  saveSetup: ({ migration }, stream, context) => migration.saveSetup(stream, context),
  isActiveIterate: ({ migration }) => migration.active,
  saveLiveIterate: ({ migration }, stream, context) => migration.iterate(stream, context),
  statePendingEstimate: ({ migration }) => migration.estimate(),
  statePendingExact: ({ migration }) => migration.exact(),
  saveCompleteThread: ({ migration }, context) => migration.sendPackets(context),
  saveComplete: ({ migration }, stream, context) => migration.complete(stream, context),
  saveCleanup: ({ migration }) => migration.saveCleanup(),
  loadSetup: ({ migration }) => migration.loadSetup(),
  loadState: ({ migration }, stream, context) => readParts(stream, context, (bytes) => migration.load(bytes)),
  loadStateBuffer: ({ migration }, packet) => migration.loadPacket(packet),
  loadThread: ({ migration }) => migration.loadPackets(),
  switchoverAckNeeded: ({ migration }) => migration.chip.features.preCopy,
};
