import {
  BLOCK_PERMISSION,
  type BlockAccess,
  type BlockChild,
  type BlockDriver,
  type BlockDriverType,
  BlockError,
  type BlockPermissions,
  type BlockRequest,
  type BlockWriteRequest,
  type BlockZeroRequest,
  NO_BLOCK_ACCESS,
} from '@sterna/core';
import { NodeIo, type NodeIoTarget } from '../io/node-io.ts';
import type { NodeOptions } from './node-options.ts';

/** A user of a node: another node, a device, or an operation. */
export interface BlockParent {
  /** For messages: `node 'n0'`, `device 'd0'`. */
  readonly description: string;
  /** Set when the user is a node. */
  readonly node?: BlockNode;
  /** Starts no new requests until `drainedEnd`, which comes as often. */
  drainedBegin(): void;
  drainedEnd(): void;
  /** Resolves when nothing is under way that was started before. */
  settled(): Promise<void>;
  /** The node's length has changed. */
  resized(): void;
}

/** A user's way to a node (QEMU's BdrvChild), with what the user may do there. */
export class BlockEdge implements BlockChild {
  /** What the node is to the user: `file`, `image`, `root`. */
  readonly name: string;
  readonly parent: BlockParent;
  readonly node: BlockNode;
  /** Changed by permission updates only. */
  access: BlockAccess = NO_BLOCK_ACCESS;

  constructor(name: string, parent: BlockParent, node: BlockNode) {
    this.name = name;
    this.parent = parent;
    this.node = node;
  }

  get nodeName(): string {
    return this.node.nodeName;
  }
  get length(): number {
    return this.node.driver.length;
  }
  /** Nobody may write to the node. */
  get readOnly(): boolean {
    return this.node.readOnly;
  }
  get requestAlignment(): number {
    return this.node.io.alignment;
  }
  get filename(): string {
    return this.node.filename;
  }
  actualSize(): number | undefined {
    return this.node.driver.info().actualSize;
  }
  debugEvent(event: string): void {
    this.node.driver.debugEvent?.(event);
  }

  async read(offset: number, into: Uint8Array, request: BlockRequest = {}): Promise<void> {
    await this.node.io.read(offset, into, request);
  }
  async write(offset: number, bytes: Uint8Array, request: BlockWriteRequest = {}): Promise<void> {
    this.#needs(BLOCK_PERMISSION.write | BLOCK_PERMISSION.writeUnchanged);
    await this.node.io.write(offset, bytes, request);
    if (request.fua === true) await this.flush(request);
  }
  async writeZeroes(offset: number, length: number, request: BlockZeroRequest = {}): Promise<void> {
    this.#needs(BLOCK_PERMISSION.write | BLOCK_PERMISSION.writeUnchanged);
    await this.node.io.writeZeroes(offset, length, request);
    if (request.fua === true) await this.flush(request);
  }
  async discard(offset: number, length: number, request: BlockRequest = {}): Promise<void> {
    this.#needs(BLOCK_PERMISSION.write);
    await this.node.io.discard(offset, length, request);
  }
  async truncate(length: number, request: BlockRequest = {}): Promise<void> {
    this.#needs(BLOCK_PERMISSION.resize);
    await this.node.io.truncate(length, request);
  }
  async flush(request: BlockRequest = {}): Promise<void> {
    await this.node.flush(request);
  }

  /** @throws BlockError when the node is somebody else's, or the user has none of the permissions */
  #needs(any: BlockPermissions): void {
    this.node.checkActive();
    if ((this.access.perm & any) !== 0) return;
    throw new BlockError('EPERM', `${this.parent.description} may not change node '${this.nodeName}'`, {
      code: 'STERNA_ERR_BLOCK_PERMISSION',
    });
  }
}

/**
 * A node of the graph (QEMU's BlockDriverState): a driver at work, the nodes below it and its users. A node is active
 * while this process owns its content; an inactive one has no permissions on the nodes below and is not written to.
 */
export class BlockNode implements BlockParent, NodeIoTarget {
  readonly nodeName: string;
  readonly type: BlockDriverType;
  readonly options: NodeOptions;
  /** The driver's options as the user gave them, for the name of images that have no other. */
  readonly given: Readonly<Record<string, unknown>>;
  readonly children: Map<string, BlockEdge> = new Map();
  readonly parents: Set<BlockEdge> = new Set();
  readonly io: NodeIo;
  /** Set by whoever opens the node, before anybody else sees it. */
  driver!: BlockDriver;
  /** Changed by activation only. */
  active: boolean;
  /** Made by name, and kept until it is deleted by name; other nodes end with their last user. */
  monitorOwned = false;
  #flushed = 0;
  /** Drains that hold back the users, each of whom has been told of every one. */
  #quiesced = 0;

  constructor(
    nodeName: string,
    type: BlockDriverType,
    options: NodeOptions,
    given: Readonly<Record<string, unknown>>,
    active: boolean,
  ) {
    this.nodeName = nodeName;
    this.type = type;
    this.options = options;
    this.given = given;
    this.active = active;
    this.io = new NodeIo(this);
  }

  get node(): BlockNode {
    return this;
  }
  get description(): string {
    return `node '${this.nodeName}'`;
  }
  /** Name of its driver. */
  get driverName(): string {
    return this.type.descriptor.name;
  }
  /** Nobody may write to it: by its options, its driver, or what is below. */
  get readOnly(): boolean {
    return this.options.readOnly || this.driver.readOnly === true || this.driver.write === undefined;
  }
  /** What becomes of zeroes that are written. */
  get detectZeroes(): 'off' | 'on' | 'unmap' {
    return this.options.detectZeroes;
  }
  get unmap(): boolean {
    return this.options.discard === 'unmap';
  }
  get mayGrow(): boolean {
    return (this.cumulative().perm & BLOCK_PERMISSION.resize) !== 0;
  }
  /** Name of the image it shows. */
  get filename(): string {
    return this.driver.info().filename ?? `json:${JSON.stringify(this.given)}`;
  }
  /** The first of the nodes below: where the content is. */
  get primary(): BlockEdge | undefined {
    return this.children.values().next().value;
  }

  /** What all users together may do and allow. */
  cumulative(): BlockAccess {
    let { perm, shared } = NO_BLOCK_ACCESS;
    for (const { access } of this.parents) {
      perm |= access.perm;
      shared &= access.shared;
    }
    return { perm, shared };
  }

  /** @throws BlockError `STERNA_ERR_BLOCK_INACTIVE` when the content is somebody else's now */
  checkActive(): void {
    if (this.active) return;
    throw new BlockError('EPERM', `node '${this.nodeName}' is inactive: it is not ours to write to`, {
      code: 'STERNA_ERR_BLOCK_INACTIVE',
    });
  }

  /** Puts everything written here and below on stable storage; costs nothing when that is done already. */
  async flush(request: BlockRequest): Promise<void> {
    if (this.readOnly || this.options.noFlush) return;
    const { primary, driver } = this;
    primary?.debugEvent('flush_to_os');
    const writes = this.io.writes;
    if (writes !== this.#flushed) {
      this.checkActive();
      primary?.debugEvent('flush_to_disk');
      await driver.flush?.(request);
      // Another flush may have covered later writes meanwhile.
      if (writes > this.#flushed) this.#flushed = writes;
    }
    for (const child of this.children.values()) await child.flush(request);
  }

  /** A new user is told of drains that go on. */
  addParent(edge: BlockEdge): void {
    if (this.parents.has(edge)) return;
    this.parents.add(edge);
    for (let i = 0; i < this.#quiesced; i++) edge.parent.drainedBegin();
  }
  removeParent(edge: BlockEdge): void {
    if (!this.parents.delete(edge)) return;
    for (let i = 0; i < this.#quiesced; i++) edge.parent.drainedEnd();
  }

  drainedBegin(): void {
    this.#quiesced++;
    for (const { parent } of this.parents) parent.drainedBegin();
  }
  drainedEnd(): void {
    this.#quiesced--;
    for (const { parent } of this.parents) parent.drainedEnd();
  }
  async settled(): Promise<void> {
    for (const { parent } of [...this.parents]) await parent.settled();
    await this.io.tracker.idle();
  }
  resized(): void {
    for (const { parent } of this.parents) parent.resized();
  }

  /**
   * Runs `action` while no user starts requests and none is under way.
   *
   * @throws whatever `action` throws
   */
  async drained<T>(action: () => Promise<T>): Promise<T> {
    this.drainedBegin();
    try {
      await this.settled();
      return await action();
    } finally {
      this.drainedEnd();
    }
  }
}
