import { BlockError, type BlockErrorAction, type BlockErrorPolicy } from '@sterna/core';

/** What reads and writes that fail do. */
export interface ErrorPolicies {
  readonly rerror: BlockErrorPolicy;
  readonly werror: BlockErrorPolicy;
}

/** QEMU's defaults: a full disk stops the guest, so that room can be made; everything else is the guest's business. */
const AUTO: ErrorPolicies = { rerror: 'report', werror: 'enospc' };

/** What is done about an error, by the device's policy, else the drive's, else the default. */
export function errorActionOf(
  operation: 'read' | 'write',
  error: unknown,
  ...policies: readonly ErrorPolicies[]
): BlockErrorAction {
  const key = operation === 'read' ? 'rerror' : 'werror';
  const policy = policies.map((each) => each[key]).find((each) => each !== 'auto') ?? AUTO[key];
  if (policy === 'enospc') return isNoSpace(error) ? 'stop' : 'report';
  return policy === 'auto' ? 'report' : policy;
}

/** Whether the host's disk is full. */
export function isNoSpace(error: unknown): boolean {
  return error instanceof BlockError && error.errno === 'ENOSPC';
}
