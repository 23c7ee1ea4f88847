import {
  ALL_BLOCK_PERMISSIONS,
  BLOCK_PERMISSION,
  type BlockActivation,
  type BlockBackend,
  type BlockBackends,
  type BlockDriverType,
  ConfigError,
  type Scope,
  type SnapshotDisks,
  SternaError,
  unknownNameHint,
} from '@sterna/core';
import { type BackendHost, DeviceBackend } from '../backend/device-backend.ts';
import { activateNode, hasActiveParent, inactivateNode } from '../graph/activation.ts';
import { BlockGraph } from '../graph/block-graph.ts';
import type { BlockNode } from '../graph/block-node.ts';
import { Operation } from '../graph/operation.ts';
import type { DriveSpec } from '../options/drive-option.ts';

/** What a machine's disks need of their surroundings. */
export interface BlockLayerHost extends BackendHost {
  /** @throws ConfigError when there is no such driver */
  driver(name: string): BlockDriverType;
  /** Where drivers' services come from. */
  readonly scope: Scope;
  /** A line for the user. */
  report(text: string): void;
  /** False when the machine waits for a migration to come in: the disks are somebody else's until then. */
  readonly ownsDisks: boolean;
}

/** A node as data: what `blockdev-add` takes. */
export type BlockNodeSpec = Readonly<Record<string, unknown>>;

/**
 * All disks of one machine: the graph of nodes, the drives and devices on top of it, and who owns them. Devices see it as
 * {@link BlockBackends}, a migration as {@link BlockActivation}, monitors as commands.
 */
export class BlockLayer implements BlockBackends, BlockActivation, SnapshotDisks {
  readonly graph: BlockGraph;
  readonly #host: BlockLayerHost;
  readonly #backends = new Set<DeviceBackend>();
  /** False from the beginning of an inactivation of everything to the end of an activation of everything. */
  #owned: boolean;

  constructor(host: BlockLayerHost) {
    this.#host = host;
    this.graph = new BlockGraph(host);
    this.#owned = host.ownsDisks;
  }

  /** Drives and devices, in the order they came. */
  get backends(): readonly DeviceBackend[] {
    return [...this.#backends];
  }

  /**
   * Makes a node that stays until it is deleted by its name.
   *
   * @param text - Scalars in `spec` are text to parse.
   * @throws SternaError for whatever is refused; nothing is left behind then
   */
  add(spec: BlockNodeSpec, text = false): Promise<void> {
    return this.graph.exclusive(async () => {
      if (spec['node-name'] === undefined)
        throw new ConfigError('STERNA_ERR_PROPERTY_MISSING', "'node-name' must be specified for the root node");
      if (this.#named(String(spec['node-name'])) !== undefined) throw nameTaken(String(spec['node-name']), 'drive');
      const node = await this.graph.open(spec, { text, active: this.#owned });
      node.monitorOwned = true;
    });
  }

  /** Deletes a node that {@link BlockLayer.add} has made. @throws SternaError when it is used, or was made otherwise */
  delete(nodeName: string): Promise<void> {
    return this.graph.exclusive(async () => {
      const node = this.graph.get(nodeName);
      const [user] = node.parents;
      if (user !== undefined) {
        throw new SternaError(
          'STERNA_ERR_BLOCK_NODE',
          `Node ${nodeName} is in use by ${user.parent.description} (as its '${user.name}')`,
        );
      }
      if (!node.monitorOwned)
        throw new SternaError('STERNA_ERR_BLOCK_NODE', `Node ${nodeName} is not owned by the monitor`);
      node.monitorOwned = false;
      this.graph.release(node);
      await this.graph.closed();
    });
  }

  /** No driver here holds snapshots, so none of what can be written to. */
  get unsupported(): readonly string[] {
    return this.backends.filter(({ readOnly }) => !readOnly).map(({ name }) => name);
  }

  /** Makes a drive: nodes and a named backend without a device yet. @throws SternaError for whatever is refused */
  addDrive(drive: DriveSpec): Promise<void> {
    return this.graph.exclusive(async () => {
      if (this.#named(drive.id) !== undefined) throw nameTaken(drive.id, 'drive');
      if (this.graph.find(drive.id) !== undefined) throw nameTaken(drive.id, 'node');
      const node = await this.graph.open(drive.node, { text: true, active: this.#owned });
      try {
        this.#backend(node, { name: drive.id, rerror: drive.rerror, werror: drive.werror });
      } catch (error) {
        this.graph.release(node);
        throw error;
      }
    });
  }

  attach(drive: string, user: Parameters<BlockBackends['attach']>[1]): BlockBackend {
    const named = this.#named(drive);
    if (named !== undefined) {
      named.take(user);
      return named;
    }
    const node = this.graph.find(drive);
    if (node === undefined) {
      const names = [...this.backends.map(({ name }) => name), ...this.graph.nodes.map(({ nodeName }) => nodeName)];
      throw new ConfigError(
        'STERNA_ERR_BLOCK_NODE',
        `there is no drive or node '${drive}'; ${unknownNameHint(drive, names)}`,
        { path: `device '${user.id}'` },
      );
    }
    const backend = this.#backend(node, { name: '', rerror: 'auto', werror: 'auto' });
    try {
      backend.take(user);
    } catch (error) {
      this.#end(backend);
      throw error;
    }
    return backend;
  }

  #backend(node: BlockNode, settings: DeviceBackend['settings']): DeviceBackend {
    const backend = new DeviceBackend(this.graph, node, settings, this.#host, (gone) => {
      if (gone.settings.name === '') this.#end(gone);
    });
    this.#backends.add(backend);
    return backend;
  }

  #end(backend: DeviceBackend): void {
    this.#backends.delete(backend);
    backend.end();
  }

  #named(name: string): DeviceBackend | undefined {
    return this.backends.find(({ settings }) => settings.name === name && name !== '');
  }

  /** Changes the length of a node. @throws SternaError when a user of it does not allow that */
  resize(node: BlockNode, length: number): Promise<void> {
    return this.graph.exclusive(async () => {
      const operation = new Operation('block_resize');
      const edge = this.graph.attach(operation, 'root', node, {
        perm: BLOCK_PERMISSION.resize,
        shared: ALL_BLOCK_PERMISSIONS,
      });
      try {
        await edge.truncate(length);
      } finally {
        this.graph.detach(edge);
      }
    });
  }

  /** The node behind a node-name, a drive, or the id of a device. @throws SternaError when there is none */
  resolve(names: { readonly device?: string | undefined; readonly nodeName?: string | undefined }): BlockNode {
    if (names.nodeName !== undefined) return this.graph.get(names.nodeName);
    const backend = this.backends.find(
      ({ settings, device }) => (settings.name !== '' && settings.name === names.device) || device === names.device,
    );
    if (backend !== undefined) return backend.root;
    throw new SternaError('STERNA_ERR_BLOCK_NODE', `there is no drive '${names.device}'`);
  }

  /** Resolves when everything is over that devices have asked for until now. */
  async settle(): Promise<void> {
    for (const backend of this.backends) await backend.finished();
  }

  // Ownership

  get active(): boolean {
    const { nodes } = this.graph;
    // Without nodes there is nothing that could be somebody else's.
    return nodes.length === 0 || (this.#owned && nodes.every(({ active }) => active));
  }

  inactivateAll(): Promise<void> {
    return this.graph.exclusive(async () => {
      this.#owned = false;
      // A request that a drain held back until now would find its node inactive.
      await this.settle();
      // From the top: a node is reached when no active one above it is left.
      for (const node of this.graph.nodes.toReversed()) await inactivateNode(node);
    });
  }

  activateAll(): Promise<void> {
    return this.graph.exclusive(async () => {
      const taken: BlockNode[] = [];
      try {
        for (const node of this.graph.nodes) taken.push(...(await activateNode(node)));
      } catch (error) {
        // Somebody else owns one of them, so most likely all.
        for (const node of taken.reverse()) await inactivateNode(node);
        throw error;
      }
      this.#owned = true;
    });
  }

  /**
   * Activates or inactivates one node and what is below it, or everything (`blockdev-set-active`).
   *
   * @throws SternaError when a node above still needs it, or when it cannot be done
   */
  setActive(nodeName: string | undefined, active: boolean): Promise<void> {
    if (nodeName === undefined) return active ? this.activateAll() : this.inactivateAll();
    return this.graph.exclusive(async () => {
      const node = this.graph.get(nodeName);
      if (active) await activateNode(node);
      else if (hasActiveParent(node))
        throw new SternaError('STERNA_ERR_BLOCK_ACTIVATION', `node '${nodeName}': Node has active parent node`);
      else await inactivateNode(node);
    });
  }

  /** Puts everything on stable storage. @throws BlockError for the first node that fails, after all were tried */
  async flushAll(): Promise<void> {
    const results = await Promise.allSettled(
      this.graph.nodes.filter(({ active }) => active).map((node) => node.flush({})),
    );
    const failed = results.find((result) => result.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  /** The machine runs: devices make what failed anew, and one without disks owns those that it will get. */
  machineRuns(): void {
    for (const backend of this.#backends) backend.resetIoStatus();
    if (this.graph.nodes.length === 0) this.#owned = true;
  }

  /** Flushes and closes everything; devices are gone. */
  close(): Promise<void> {
    return this.graph.exclusive(async () => {
      await this.settle();
      for (const backend of this.backends) this.#end(backend);
      for (const node of this.graph.nodes.toReversed()) {
        node.monitorOwned = false;
        this.graph.release(node);
      }
      await this.graph.closed();
    });
  }
}

/** Drives and nodes share names, since `drive=` may mean either. */
function nameTaken(name: string, what: 'drive' | 'node'): SternaError {
  return new SternaError('STERNA_ERR_BLOCK_NODE', `there is a ${what} with the name '${name}' already`);
}
