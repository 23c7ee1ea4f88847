import type { TickGuest } from './tick-guest.ts';

const MB = 1_000_000;

/**
 * A guest that dirties twice what the link takes, a few bytes in each page: whole pages never converge. The first two rounds
 * send everything, since the cache is filled by the second; from the third on little is left.
 */
export const XBZRLE_CASE = {
  guest: { filledMiB: 600, dirtyRate: 200 * MB } satisfies TickGuest,
  memoryMiB: 1024,
  parameters: { 'max-bandwidth': 100 * MB, 'xbzrle-cache-size': 2 ** 30 },
  capabilities: ['xbzrle'],
  limitMs: 120_000,
  compareBytes: true,
} as const;
