/**
 * Who owns the content of nodes. Two processes can open one image, but only the one whose nodes are active may write
 * to it. Giving up goes from the top of the graph down, so that what an upper node still has to write finds the nodes
 * below it active; taking over goes from the bottom up.
 *
 * An inactive node has no permissions on the nodes below it: the locks on image files go and come with them, and
 * between two processes on one host they prove that there is one owner.
 */
import { SternaError } from '@sterna/core';
import { updateAccess } from './access-update.ts';
import type { BlockNode } from './block-node.ts';

/**
 * Gives up a node, and the nodes below that no other active node uses. An inactive node is left alone.
 *
 * @throws SternaError `STERNA_ERR_BLOCK_ACTIVATION` when it cannot be flushed: the node is active as before then, though
 *   nodes above it may be inactive already
 */
export async function inactivateNode(node: BlockNode): Promise<void> {
  if (!node.active || hasActiveParent(node)) return;
  await node.drained(async () => {
    try {
      await node.flush({});
      await node.driver.inactivate?.();
    } catch (cause) {
      throw new SternaError(
        'STERNA_ERR_BLOCK_ACTIVATION',
        `node '${node.nodeName}' cannot be given up: ${(cause as Error).message}`,
        { cause },
      );
    }
    markInactive(node);
  });
  for (const child of node.children.values()) await inactivateNode(child.node);
}

/**
 * Takes over a node and the nodes below it. An active node is left alone.
 *
 * @returns the nodes that became active, lower ones first
 * @throws SternaError `STERNA_ERR_BLOCK_ACTIVATION` when one cannot be taken, for example since another process has its
 *   image; every node is as it was before then
 */
export async function activateNode(node: BlockNode): Promise<readonly BlockNode[]> {
  const taken: BlockNode[] = [];
  try {
    await take(node, taken);
  } catch (error) {
    for (const other of taken.reverse()) markInactive(other);
    throw error;
  }
  return taken;
}

async function take(node: BlockNode, taken: BlockNode[]): Promise<void> {
  if (node.active) return;
  for (const child of node.children.values()) await take(child.node, taken);
  const { length } = node.driver;
  node.active = true;
  try {
    updateAccess([], [node]);
  } catch (cause) {
    node.active = false;
    throw notTaken(node, cause);
  }
  taken.push(node);
  try {
    await node.driver.activate?.();
  } catch (cause) {
    throw notTaken(node, cause);
  }
  if (node.driver.length !== length) node.resized();
}

/** Drops the flag and with it the permissions, which cannot be refused. */
export function markInactive(node: BlockNode): void {
  node.active = false;
  updateAccess([], [node]);
}

/** Whether a node above still needs this one. */
export function hasActiveParent(node: BlockNode): boolean {
  return [...node.parents].some(({ parent }) => parent.node?.active === true);
}

function notTaken(node: BlockNode, cause: unknown): SternaError {
  return new SternaError(
    'STERNA_ERR_BLOCK_ACTIVATION',
    `node '${node.nodeName}' cannot be taken over: ${(cause as Error).message}`,
    { cause },
  );
}
