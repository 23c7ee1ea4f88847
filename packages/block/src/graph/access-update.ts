import {
  ALL_BLOCK_PERMISSIONS,
  type BlockAccess,
  type BlockPermissionChange,
  blockPermissionNames,
  CHANGING_BLOCK_PERMISSIONS,
  NO_BLOCK_ACCESS,
  SternaError,
} from '@sterna/core';
import type { BlockEdge, BlockNode } from './block-node.ts';

/** A change of one user's way to a node. */
export interface EdgeChange {
  readonly edge: BlockEdge;
  /** What the user shall have; undefined: it goes. */
  readonly access: BlockAccess | undefined;
}

/**
 * Changes what users may do and carries it down the graph: all of it, or nothing when a user, a driver or another
 * process objects. Taking less is never refused.
 *
 * @param changes - Edges that get another access, come (not yet among the node's parents) or go.
 * @param refresh - Nodes whose needs have changed: just opened, activated or inactivated.
 * @throws SternaError `STERNA_ERR_BLOCK_PERMISSION` naming the users that do not go together, or the driver's error
 */
export function updateAccess(changes: readonly EdgeChange[], refresh: readonly BlockNode[] = []): void {
  const planned = new Map<BlockEdge, BlockAccess>();
  const gone = new Set<BlockEdge>();
  for (const { edge, access } of changes) {
    if (access === undefined) gone.add(edge);
    else planned.set(edge, access);
  }
  const prepared: BlockPermissionChange[] = [];
  try {
    for (const node of parentsFirst([...refresh, ...changes.map(({ edge }) => edge.node)])) {
      const users = usersOf(node, planned, gone);
      checkUsers(node, users);
      const access = node.active ? together(users) : NO_BLOCK_ACCESS;
      const change = node.driver.prepareAccess?.(access);
      if (change !== undefined) prepared.push(change);
      for (const child of node.children.values()) planned.set(child, childAccess(node, child.name, access));
    }
  } catch (error) {
    for (const change of prepared.reverse()) change.abort();
    throw error;
  }
  for (const change of prepared) change.commit();
  for (const [edge, access] of planned) {
    edge.access = access;
    edge.node.addParent(edge);
  }
  for (const edge of gone) edge.node.removeParent(edge);
}

interface User {
  readonly edge: BlockEdge;
  readonly access: BlockAccess;
}

/** Users of a node as they will be. */
function usersOf(
  node: BlockNode,
  planned: ReadonlyMap<BlockEdge, BlockAccess>,
  gone: ReadonlySet<BlockEdge>,
): readonly User[] {
  const edges = new Set(node.parents);
  for (const edge of planned.keys()) if (edge.node === node) edges.add(edge);
  return [...edges]
    .filter((edge) => !gone.has(edge))
    .map((edge) => ({ edge, access: planned.get(edge) ?? edge.access }));
}

function together(users: readonly User[]): BlockAccess {
  let { perm, shared } = NO_BLOCK_ACCESS;
  for (const { access } of users) {
    perm |= access.perm;
    shared &= access.shared;
  }
  return { perm, shared };
}

/** An inactive node needs nothing, so that the nodes below can be somebody else's too. */
function childAccess(node: BlockNode, child: string, access: BlockAccess): BlockAccess {
  if (!node.active) return NO_BLOCK_ACCESS;
  const { perm, shared } = node.driver.childAccess?.(child, access) ?? access;
  return { perm, shared: node.options.forceShare ? ALL_BLOCK_PERMISSIONS : shared };
}

function checkUsers(node: BlockNode, users: readonly User[]): void {
  for (const one of users) {
    const changing = one.access.perm & CHANGING_BLOCK_PERMISSIONS;
    if (changing !== 0 && node.readOnly) {
      throw conflict(
        `node '${node.nodeName}' is read-only, and ${role(one.edge)} needs the permission to ${blockPermissionNames(changing)}`,
      );
    }
    for (const other of users) {
      const clash = one.access.perm & ~other.access.shared;
      if (one === other || clash === 0) continue;
      throw conflict(
        `node '${node.nodeName}' cannot have both users: ${role(one.edge)} needs '${blockPermissionNames(clash)}', which ${role(other.edge)} does not share`,
      );
    }
  }
}

function role({ name, parent }: BlockEdge): string {
  return name === 'root' ? parent.description : `${parent.description} (as its '${name}')`;
}

function conflict(message: string): SternaError {
  return new SternaError('STERNA_ERR_BLOCK_PERMISSION', message);
}

/** The nodes and all below them, each after every one of them that uses it. */
function parentsFirst(starts: readonly BlockNode[]): readonly BlockNode[] {
  const done = new Set<BlockNode>();
  const order: BlockNode[] = [];
  const visit = (node: BlockNode): void => {
    if (done.has(node)) return;
    done.add(node);
    for (const { node: below } of node.children.values()) visit(below);
    order.push(node);
  };
  for (const node of starts) visit(node);
  return order.reverse();
}
