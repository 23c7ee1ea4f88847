import type { HostClock } from '../time/clock.ts';

const NS_PER_MS = 1_000_000;

/** The host's clocks. Monotonic time counts from the start of the process, so its numbers stay exact for months. */
export const nodeHostClock: HostClock = {
  monotonicNs: () => Math.round(performance.now() * NS_PER_MS),
  wallNs: () => BigInt(Date.now()) * 1_000_000n,
};
