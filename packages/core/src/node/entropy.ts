import { randomFillSync } from 'node:crypto';
import type { Entropy } from '../machine/services.ts';

/** Randomness from the host's generator. */
export const nodeEntropy: Entropy = {
  fill(bytes) {
    randomFillSync(bytes);
  },
};
