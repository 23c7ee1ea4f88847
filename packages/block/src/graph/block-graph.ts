import {
  type BlockAccess,
  type BlockDriverType,
  type BlockNodeHost,
  ConfigError,
  resolveProperties,
  type Scope,
  SternaError,
  unknownNameHint,
} from '@sterna/core';
import { updateAccess } from './access-update.ts';
import { BlockEdge, BlockNode, type BlockParent } from './block-node.ts';
import { asObject, NODE_OPTION_NAMES, NODE_PROPERTIES, nodeOptions } from './node-options.ts';

/** QEMU's limit for names of nodes. */
const MAX_NODE_NAME = 31;
/** Nodes within the options of a node; images nest less deep. */
const MAX_DEPTH = 32;
/** Given on to a node that is made along with another one. */
const INHERITED: readonly string[] = ['read-only', 'auto-read-only', 'force-share', 'cache', 'active'];

/** What a graph of nodes needs of its surroundings. */
export interface BlockGraphHost {
  /** @throws ConfigError when there is no such driver */
  driver(name: string): BlockDriverType;
  /** Where drivers' services come from. */
  readonly scope: Scope;
  /** Told what goes wrong where nobody is left to hear of it. */
  report(text: string): void;
}

/** How a node is to be opened. */
export interface OpenOptions {
  /** Scalars are text to parse. */
  readonly text?: boolean;
  /** Whether nodes are ours, where their options do not say. */
  readonly active: boolean;
}

/**
 * All block nodes of a machine, by name. What makes, ends, activates or inactivates nodes takes its turn, one at a time;
 * who uses a node, and how, changes at once.
 */
export class BlockGraph {
  readonly #host: BlockGraphHost;
  readonly #nodes = new Map<string, BlockNode>();
  /** Names of nodes that are being opened. */
  readonly #reserved = new Set<string>();
  readonly #closing = new Set<Promise<void>>();
  #turn: Promise<unknown> = Promise.resolve();
  #autoNames = 0;

  constructor(host: BlockGraphHost) {
    this.#host = host;
  }

  /** In the order they were made: a node comes after the nodes below it. */
  get nodes(): readonly BlockNode[] {
    return [...this.#nodes.values()];
  }

  find(nodeName: string): BlockNode | undefined {
    return this.#nodes.get(nodeName);
  }

  /** @throws SternaError `STERNA_ERR_BLOCK_NODE` when there is none */
  get(nodeName: string): BlockNode {
    const node = this.#nodes.get(nodeName);
    if (node !== undefined) return node;
    throw new SternaError(
      'STERNA_ERR_BLOCK_NODE',
      `Failed to find node with node-name='${nodeName}'; ${unknownNameHint(nodeName, [...this.#nodes.keys()])}`,
    );
  }

  /** Runs `action` when all earlier ones are over. */
  exclusive<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(action);
    this.#turn = result.catch(() => {});
    return result;
  }

  /**
   * Opens a node and those that its options describe. The caller has its turn and becomes the node's user, or else ends it.
   *
   * @throws SternaError for whatever is refused; nothing is left behind then
   */
  async open(given: Readonly<Record<string, unknown>>, how: OpenOptions, depth = 0): Promise<BlockNode> {
    if (depth > MAX_DEPTH) throw badOption(`more than ${MAX_DEPTH} nodes within each other`, 'blockdev');
    const { driver } = given;
    if (typeof driver !== 'string' || driver === '') throw badOption("'driver' is missing", 'blockdev');
    const type = this.#host.driver(driver);
    const { children = {}, properties = {}, inject = [], open } = type.descriptor;
    const nodeName = this.#nodeName(given['node-name']);
    const origin = `${driver} '${nodeName}'`;
    const text = how.text === true;
    const options = nodeOptions(given, origin, text);
    const own = Object.entries(given).filter(
      ([key]) => !NODE_OPTION_NAMES.includes(key) && !Object.hasOwn(children, key),
    );
    checkNames(
      own.map(([key]) => key),
      [...Object.keys(properties), ...Object.keys(children), ...NODE_OPTION_NAMES],
      origin,
    );
    const values = resolveProperties(properties, Object.fromEntries(own), origin, { text });
    this.#reserved.add(nodeName);
    const node = new BlockNode(nodeName, type, options, withoutName(given), options.active ?? how.active);
    try {
      for (const [name, need] of Object.entries(children))
        await this.#openChild(node, name, need as 'required' | 'optional', given, how, depth);
      const host: BlockNodeHost = {
        nodeName,
        readOnly: options.readOnly,
        autoReadOnly: options.autoReadOnly,
        child: (name) => node.children.get(name)!,
        findChild: (name) => node.children.get(name),
      };
      node.driver = await open(values, host, ...this.#host.scope.resolve(inject));
      updateAccess([], [node]);
      this.#nodes.set(nodeName, node);
      return node;
    } catch (error) {
      await node.driver?.close?.();
      this.#dropChildren(node);
      throw error;
    } finally {
      this.#reserved.delete(nodeName);
    }
  }

  async #openChild(
    node: BlockNode,
    name: string,
    need: 'required' | 'optional',
    given: Readonly<Record<string, unknown>>,
    how: OpenOptions,
    depth: number,
  ): Promise<void> {
    const value = given[name];
    if (value === undefined || value === null) {
      if (need === 'optional') return;
      throw new ConfigError('STERNA_ERR_PROPERTY_MISSING', `'${name}' is missing: a node-name, or options of a node`, {
        path: `${node.driverName} '${node.nodeName}'`,
      });
    }
    const below =
      typeof value === 'string'
        ? this.get(value)
        : await this.open(inherit(asObject(value, `${node.nodeName}.${name}`), given), how, depth + 1);
    const edge = new BlockEdge(name, node, below);
    node.children.set(name, edge);
    below.addParent(edge);
    if (node.active && !below.active) {
      throw new SternaError(
        'STERNA_ERR_BLOCK_INACTIVE',
        `Inactive '${below.nodeName}' can't be a ${name} child of active '${node.nodeName}'`,
      );
    }
  }

  /**
   * Lets `parent` use a node.
   *
   * @throws SternaError `STERNA_ERR_BLOCK_PERMISSION` naming both when it does not go together with another user, and
   *   `STERNA_ERR_BLOCK_LOCKED` when another process uses the image
   */
  attach(parent: BlockParent, name: string, node: BlockNode, access: BlockAccess): BlockEdge {
    const edge = new BlockEdge(name, parent, node);
    updateAccess([{ edge, access }]);
    return edge;
  }

  /** Changes what a user may do. @throws as {@link BlockGraph.attach} */
  setAccess(edge: BlockEdge, access: BlockAccess): void {
    updateAccess([{ edge, access }]);
  }

  /** A user goes; a node that nobody needs any more ends. */
  detach(edge: BlockEdge): void {
    updateAccess([{ edge, access: undefined }]);
    this.release(edge.node);
  }

  /** Ends the node unless somebody needs it: the monitor, or a user. */
  release(node: BlockNode): void {
    if (node.monitorOwned || node.parents.size > 0 || this.#nodes.get(node.nodeName) !== node) return;
    this.#nodes.delete(node.nodeName);
    const closing = this.#close(node).finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }

  async #close(node: BlockNode): Promise<void> {
    try {
      await node.io.tracker.idle();
      if (node.active) await node.flush({});
    } catch (error) {
      this.#host.report(`node '${node.nodeName}' was closed without a flush: ${(error as Error).message}`);
    }
    try {
      await node.driver.close?.();
    } catch (error) {
      this.#host.report(`closing node '${node.nodeName}': ${(error as Error).message}`);
    }
    this.#dropChildren(node);
  }

  #dropChildren(node: BlockNode): void {
    for (const edge of node.children.values()) this.detach(edge);
    node.children.clear();
  }

  /** Resolves when nodes that have ended have given back what they held. */
  async closed(): Promise<void> {
    while (this.#closing.size > 0) await Promise.all(this.#closing);
  }

  #isTaken(name: string): boolean {
    return this.#nodes.has(name) || this.#reserved.has(name);
  }

  #nodeName(given: unknown): string {
    if (given === undefined) {
      let name: string;
      do name = `#block${String(this.#autoNames++).padStart(3, '0')}`;
      while (this.#isTaken(name));
      return name;
    }
    if (typeof given !== 'string' || given.length > MAX_NODE_NAME || !/^[a-zA-Z][\w.-]*$/.test(given))
      throw new SternaError('STERNA_ERR_BLOCK_NODE', `Invalid node-name: '${String(given)}'`);
    if (this.#isTaken(given))
      throw new SternaError('STERNA_ERR_BLOCK_NODE', `Duplicate nodes with node-name='${given}'`);
    return given;
  }
}

function checkNames(given: readonly string[], known: readonly string[], origin: string): void {
  for (const name of given) {
    if (!known.includes(name))
      throw new ConfigError(
        'STERNA_ERR_PROPERTY_UNKNOWN',
        `there is no option '${name}'; ${unknownNameHint(name, known)}`,
        {
          path: origin,
        },
      );
  }
}

/** Options of a node that is made along: the upper node decides what it does not say, and takes care of discards. */
function inherit(
  options: Readonly<Record<string, unknown>>,
  from: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const passed = Object.entries(from).filter(([key]) => INHERITED.includes(key));
  return { discard: 'unmap', ...Object.fromEntries(passed), ...options };
}

/** The options by which an image without a name of its own is called. */
function withoutName(given: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const general = ['node-name', 'cache', ...Object.keys(NODE_PROPERTIES)];
  const kept = Object.entries(given).filter(([key]) => !general.includes(key));
  return Object.fromEntries(
    kept.map(([key, value]) => [
      key,
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? withoutName(value as Readonly<Record<string, unknown>>)
        : value,
    ]),
  );
}

function badOption(message: string, path: string): ConfigError {
  return new ConfigError('STERNA_ERR_PROPERTY_VALUE', message, { path });
}
