/**
 * What a user of a block node may do, and what it lets the node's other users do. The bits are QEMU's, because the
 * locks on image files are numbered by them.
 */
export const BLOCK_PERMISSION = {
  /** Reads what was last written; without it a reader may see anything. */
  consistentRead: 1 << 0,
  /** Changes content. */
  write: 1 << 1,
  /** Writes what is there already, as copy-on-read does. */
  writeUnchanged: 1 << 2,
  /** Changes the length. */
  resize: 1 << 3,
} as const;

/** A set of {@link BLOCK_PERMISSION} bits. */
export type BlockPermissions = number;

/** Every permission. */
export const ALL_BLOCK_PERMISSIONS: BlockPermissions = 0xf;

/** Permissions without which nothing of an image changes. */
export const CHANGING_BLOCK_PERMISSIONS: BlockPermissions =
  BLOCK_PERMISSION.write | BLOCK_PERMISSION.writeUnchanged | BLOCK_PERMISSION.resize;

/** What one user of a node has, and what it grants to the node's other users. */
export interface BlockAccess {
  readonly perm: BlockPermissions;
  readonly shared: BlockPermissions;
}

/** Wants nothing and forbids nothing. */
export const NO_BLOCK_ACCESS: BlockAccess = { perm: 0, shared: ALL_BLOCK_PERMISSIONS };

const NAMES = ['consistent read', 'write', 'write unchanged', 'resize'] as const;

/** Names of a set, for messages: `write, resize`. */
export function blockPermissionNames(set: BlockPermissions): string {
  return NAMES.filter((_, bit) => (set & (1 << bit)) !== 0).join(', ') || 'nothing';
}
