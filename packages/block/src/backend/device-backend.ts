import {
  ALL_BLOCK_PERMISSIONS,
  BLOCK_PERMISSION,
  type BlockAccess,
  type BlockBackend,
  BlockError,
  type BlockErrorAction,
  type BlockRequest,
  type BlockUser,
  type BlockWriteRequest,
  type BlockZeroRequest,
  NO_BLOCK_ACCESS,
} from '@sterna/core';
import type { BlockGraph } from '../graph/block-graph.ts';
import type { BlockEdge, BlockNode, BlockParent } from '../graph/block-node.ts';
import { abortable } from '../io/request-tracker.ts';
import { type ErrorPolicies, errorActionOf, isNoSpace } from './error-policy.ts';

/** What a failed request has to do with the machine. */
export interface BackendHost {
  /** Stops the machine in run state `io-error`. */
  stopOnError(): void;
  event(name: string, data: Readonly<Record<string, unknown>>): void;
}

/** A named drive, which exists without a device, or the unnamed one of a device that names a node. */
export interface BackendSettings extends ErrorPolicies {
  /** Id of a `-drive`; empty for a device on a node. */
  readonly name: string;
}

/** State of a disk after errors, QMP's BlockDeviceIoStatus. */
export type IoStatus = 'ok' | 'failed' | 'nospace';

/** Requests of one device that are served at the same time; others wait, in order. */
const MAX_AT_ONCE = 256;

const NO_POLICY: ErrorPolicies = { rerror: 'auto', werror: 'auto' };

/**
 * The top of a graph: where a device's requests come in. It holds them back while the node is drained, counts them, and
 * knows what to do when one fails.
 */
export class DeviceBackend implements BlockBackend, BlockParent {
  readonly settings: BackendSettings;
  readonly #graph: BlockGraph;
  readonly #host: BackendHost;
  readonly #onDetached: (backend: DeviceBackend) => void;
  readonly #edge: BlockEdge;
  #user: BlockUser | undefined;
  #ioStatus: IoStatus = 'ok';
  #quiesced = 0;
  #running = 0;
  #waiting = 0;
  readonly #resume: (() => void)[] = [];
  /** Numbers of the requests that are not over, the oldest first. */
  readonly #unfinished = new Set<number>();
  #requests = 0;
  readonly #watchers: (() => void)[] = [];
  readonly #resizeListeners: (() => void)[] = [];
  #detachWanted = false;

  /** @throws SternaError when the node's users do not go together */
  constructor(
    graph: BlockGraph,
    node: BlockNode,
    settings: BackendSettings,
    host: BackendHost,
    onDetached: (backend: DeviceBackend) => void,
  ) {
    this.#graph = graph;
    this.settings = settings;
    this.#host = host;
    this.#onDetached = onDetached;
    this.#edge = graph.attach(this, 'root', node, NO_BLOCK_ACCESS);
  }

  get description(): string {
    const drive = this.settings.name === '' ? '' : `drive '${this.settings.name}'`;
    if (this.#user === undefined) return drive;
    return `device '${this.#user.id}'${drive === '' ? '' : ` (${drive})`}`;
  }
  get name(): string {
    return this.settings.name === '' ? this.#edge.nodeName : this.settings.name;
  }
  /** The node that it shows. */
  get root(): BlockNode {
    return this.#edge.node;
  }
  /** Id of the device that has it. */
  get device(): string | undefined {
    return this.#user?.id;
  }
  /** Whether errors have stopped the machine since it ran last. */
  get ioStatus(): IoStatus {
    return this.#ioStatus;
  }
  get length(): number {
    return this.#edge.length;
  }
  get readOnly(): boolean {
    return this.#edge.readOnly || this.#user?.readOnly === true;
  }
  get inFlight(): number {
    return this.#running + this.#waiting;
  }

  /** A device takes it. @throws SternaError when it has one, or when the node's users do not go together */
  take(user: BlockUser): void {
    if (this.#user !== undefined) {
      throw new BlockError('EBUSY', `drive '${this.name}' is in use by device '${this.#user.id}'`, {
        code: 'STERNA_ERR_BLOCK_NODE',
      });
    }
    this.#user = user;
    try {
      this.#graph.setAccess(this.#edge, deviceAccess(user, this.#edge.readOnly));
    } catch (error) {
      this.#user = undefined;
      throw error;
    }
  }

  /** The machine runs again, so devices make what failed anew. */
  resetIoStatus(): void {
    this.#ioStatus = 'ok';
  }

  // What the device does

  read(offset: number, into: Uint8Array, request: BlockRequest = {}): Promise<void> {
    return this.#serve(request, () => this.#edge.read(offset, into, request));
  }
  write(offset: number, bytes: Uint8Array, request: BlockWriteRequest = {}): Promise<void> {
    return this.#serve(request, () => this.#edge.write(offset, bytes, request));
  }
  writeZeroes(offset: number, length: number, request: BlockZeroRequest = {}): Promise<void> {
    return this.#serve(request, () => this.#edge.writeZeroes(offset, length, request));
  }
  discard(offset: number, length: number, request: BlockRequest = {}): Promise<void> {
    return this.#serve(request, () => this.#edge.discard(offset, length, request));
  }
  truncate(length: number, request: BlockRequest = {}): Promise<void> {
    return this.#serve(request, () => this.#edge.truncate(length, request));
  }
  flush(request: BlockRequest = {}): Promise<void> {
    return this.#serve(request, () => this.#edge.flush(request));
  }

  errorAction(operation: 'read' | 'write', error: unknown): BlockErrorAction {
    const policies = { ...NO_POLICY, ...this.#user };
    const action = errorActionOf(operation, error, policies, this.settings);
    const nospace = isNoSpace(error);
    this.#host.event('BLOCK_IO_ERROR', {
      device: this.settings.name,
      ...(this.device === undefined ? {} : { 'qom-path': `/machine/peripheral/${this.device}` }),
      'node-name': this.#edge.nodeName,
      operation,
      action,
      nospace,
      reason: error instanceof Error ? error.message : String(error),
    });
    if (action === 'stop') {
      this.#ioStatus = nospace ? 'nospace' : 'failed';
      this.#host.stopOnError();
    }
    return action;
  }

  onResize(callback: () => void): void {
    this.#resizeListeners.push(callback);
  }

  detach(): void {
    this.#detachWanted = true;
    this.#finishDetach();
  }

  // What the graph wants of a user

  drainedBegin(): void {
    this.#quiesced++;
  }
  drainedEnd(): void {
    this.#quiesced--;
    this.#letGo();
  }
  settled(): Promise<void> {
    // Waiting requests have not touched the node yet; the drain holds them.
    return this.#until(() => this.#running === 0);
  }
  resized(): void {
    for (const callback of this.#resizeListeners) callback();
  }

  /** Resolves when everything is over that was asked for until now, also what waits. */
  finished(): Promise<void> {
    const next = this.#requests;
    return this.#until(() => {
      const [oldest] = this.#unfinished;
      return oldest === undefined || oldest >= next;
    });
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#watchers.push(resolve));
  }

  async #serve(request: BlockRequest, action: () => Promise<void>): Promise<void> {
    if (this.#detachWanted) throw new BlockError('ENOMEDIUM', `${this.description} has been unplugged`);
    const number = this.#requests++;
    this.#unfinished.add(number);
    try {
      await this.#begin(request);
      try {
        await action();
      } finally {
        this.#running--;
        this.#letGo();
      }
    } finally {
      this.#unfinished.delete(number);
      for (const resolve of this.#watchers.splice(0)) resolve();
      this.#finishDetach();
    }
  }

  async #begin({ signal }: BlockRequest): Promise<void> {
    // First come, first served: nobody passes those who wait.
    if (this.#quiesced > 0 || this.#running >= MAX_AT_ONCE || this.#resume.length > 0) {
      this.#waiting++;
      const turn = Promise.withResolvers<void>();
      this.#resume.push(turn.resolve);
      try {
        await abortable(turn.promise, signal);
      } catch (error) {
        const at = this.#resume.indexOf(turn.resolve);
        if (at >= 0) this.#resume.splice(at, 1);
        // It was let go in the same moment.
        else this.#running--;
        this.#letGo();
        throw error;
      } finally {
        this.#waiting--;
      }
    } else this.#running++;
  }

  /** Lets requests go that wait, counting them as running at once, so that no drain overlooks them. */
  #letGo(): void {
    while (this.#quiesced === 0 && this.#running < MAX_AT_ONCE && this.#resume.length > 0) {
      this.#running++;
      this.#resume.shift()!();
    }
  }

  #finishDetach(): void {
    if (!this.#detachWanted || this.inFlight > 0 || this.#user === undefined) return;
    this.#user = undefined;
    this.#resizeListeners.length = 0;
    this.#graph.setAccess(this.#edge, NO_BLOCK_ACCESS);
    this.#detachWanted = this.settings.name === '';
    this.#onDetached(this);
  }

  /** It goes, and with it its use of the node. */
  end(): void {
    this.#detachWanted = true;
    this.#graph.detach(this.#edge);
  }
}

/** Disks share reading, and writing only when the user says so; other users may change the length, as for virtio. */
function deviceAccess(user: BlockUser, nodeReadOnly: boolean): BlockAccess {
  const writes = user.readOnly !== true && !nodeReadOnly;
  const { consistentRead, write } = BLOCK_PERMISSION;
  return {
    perm: writes ? consistentRead | write : consistentRead,
    shared: user.shareRw === true ? ALL_BLOCK_PERMISSIONS : ALL_BLOCK_PERMISSIONS & ~write,
  };
}
