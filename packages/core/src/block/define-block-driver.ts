import type { Injected, Service } from '../container/service.ts';
import type { PropertyTable, PropertyValues } from '../device/properties.ts';
import type { BlockIo, BlockRequest, BlockWriteRequest, BlockZeroRequest } from './block-io.ts';
import type { BlockAccess } from './permissions.ts';

/** A node below another one, as the upper one's driver uses it. */
export interface BlockChild extends BlockIo {
  /** Name of the node below. */
  readonly nodeName: string;
  readonly readOnly: boolean;
  /** Offsets and lengths of requests that need no rounding, a power of two. */
  readonly requestAlignment: number;
  /** Image that the node below shows, for people. */
  readonly filename: string;
  /** Bytes that it takes on the host, when that is known. */
  actualSize(): number | undefined;
  /** Tells a `blkdebug` below of a step that a rule may wait for. */
  debugEvent(event: string): void;
}

/** What a driver knows of the node it is opened for. */
export interface BlockNodeHost {
  readonly nodeName: string;
  /** The user wants a node that cannot be written to. */
  readonly readOnly: boolean;
  /** The user takes one that cannot be written to when there is no other. */
  readonly autoReadOnly: boolean;
  /** The node below with this name. @throws ConfigError when the user gave none. */
  child(name: string): BlockChild;
  /** Same, for a child that may be missing. */
  findChild(name: string): BlockChild | undefined;
}

/**
 * A change of what the users of a node may do, checked but not made. Exactly one of the two is called, in the same turn.
 */
export interface BlockPermissionChange {
  commit(): void;
  abort(): void;
}

/** What a driver tells people and tools of its image. */
export interface BlockImageInfo {
  /** Name of the image: a path or a pseudo address; without one it is called by its options, `json:{...}`. */
  readonly filename?: string;
  /** QAPI's ImageInfoSpecific data, under the driver's name. */
  readonly formatSpecific?: Readonly<Record<string, unknown>>;
  /** Bytes that it takes on the host. */
  readonly actualSize?: number;
}

/**
 * A driver at work on one node. The node checks every request before (length, permissions, activity), rounds it to
 * `requestAlignment`, splits it at `maxTransfer` and zeroes or fills what the driver cannot; so a driver only sees
 * requests that it can serve.
 */
export interface BlockDriver {
  /** Bytes now. */
  readonly length: number;
  /** True when the image turned out not to be writable. */
  readonly readOnly?: boolean;
  /** Power of two; default 1. */
  readonly requestAlignment?: number;
  /** Longest read or write; default: any. */
  readonly maxTransfer?: number;
  read(offset: number, into: Uint8Array, request: BlockRequest): Promise<void>;
  /** A node without it is read-only. */
  write?(offset: number, bytes: Uint8Array, request: BlockWriteRequest): Promise<void>;
  /** Throws ENOTSUP for what has to be written as zeroes. */
  writeZeroes?(offset: number, length: number, request: BlockZeroRequest): Promise<void>;
  /** Throws ENOTSUP for what stays as it is. */
  discard?(offset: number, length: number, request: BlockRequest): Promise<void>;
  /** Puts the driver's own data on stable storage; the nodes below are flushed after it. */
  flush?(request: BlockRequest): Promise<void>;
  truncate?(length: number, request: BlockRequest): Promise<void>;
  /** The node became ours: forget what is cached of the image, somebody else may have written it. */
  activate?(): Promise<void>;
  /** The node is given up: write back what is cached. The nodes below are still active. */
  inactivate?(): Promise<void>;
  /** What it needs of the child when its own users have `access`. Default: the same, as filters do. */
  childAccess?(child: string, access: BlockAccess): BlockAccess;
  /**
   * The users' accesses, taken together, are about to become `access`. Must not wait.
   *
   * @throws SternaError to refuse, for example since another process uses the image
   */
  prepareAccess?(access: BlockAccess): BlockPermissionChange;
  /** A step of the node above. */
  debugEvent?(event: string): void;
  info(): BlockImageInfo;
  close?(): Promise<void>;
}

/** What an author writes for a block driver. */
export interface BlockDriverDescriptor<P extends PropertyTable, I extends readonly Service<unknown>[]> {
  /** Name, as after `driver=`. */
  readonly name: string;
  /** `protocol`: its data is outside; `format`: arranges a node's content; `filter`: shows a node's content as it is. */
  readonly kind: 'protocol' | 'format' | 'filter';
  /** One line. */
  readonly description: string;
  readonly properties?: P;
  /**
   * Names of the nodes below, the main one first; they are options beside `properties`, and a value is a node-name or
   * the options of a node that is made along.
   */
  readonly children?: Readonly<Record<string, 'required' | 'optional'>>;
  /** Services that `open` gets after the node. */
  readonly inject?: I;
  /** Opens the image. What it holds when it throws is its own to give back. */
  open(
    properties: PropertyValues<P>,
    node: BlockNodeHost,
    ...services: Injected<I>
  ): BlockDriver | Promise<BlockDriver>;
}

/** A block driver with its types erased, as registries hold it. */
export interface BlockDriverType {
  readonly kind: 'block-driver';
  // biome-ignore lint/suspicious/noExplicitAny: the registry erases the generics of descriptors
  readonly descriptor: BlockDriverDescriptor<any, any>;
}

/** Options that every node has, and a driver therefore cannot. */
export const RESERVED_BLOCK_OPTIONS: readonly string[] = [
  'driver',
  'node-name',
  'read-only',
  'auto-read-only',
  'force-share',
  'discard',
  'detect-zeroes',
  'cache',
  'active',
];

/**
 * Declares a block driver.
 *
 * @throws TypeError when the descriptor contradicts itself.
 */
export function defineBlockDriver<
  const P extends PropertyTable = Record<never, never>,
  const I extends readonly Service<unknown>[] = readonly [],
>(descriptor: BlockDriverDescriptor<P, I>): BlockDriverType {
  const { name, kind, properties = {}, children = {} } = descriptor;
  if (!/^[a-zA-Z][\w.+-]*$/.test(name))
    throw new TypeError(`block driver name '${name}' must be letters, digits, '-', '.', '+' or '_'`);
  for (const option of [...Object.keys(properties), ...Object.keys(children)]) {
    if (RESERVED_BLOCK_OPTIONS.includes(option))
      throw new TypeError(`block driver ${name}: option name '${option}' is reserved`);
  }
  for (const child of Object.keys(children)) {
    if (Object.hasOwn(properties, child))
      throw new TypeError(`block driver ${name}: '${child}' is both a property and a child`);
  }
  if (kind === 'protocol' ? Object.keys(children).length > 0 : Object.keys(children).length === 0)
    throw new TypeError(`block driver ${name}: a ${kind} has ${kind === 'protocol' ? 'no node' : 'a node'} below`);
  return { kind: 'block-driver', descriptor };
}
