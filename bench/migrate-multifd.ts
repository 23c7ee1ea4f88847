const MB = 1_000_000;
const full = { guest: { filledMiB: 900 }, memoryMiB: 1024, capabilities: ['multifd'] } as const;

/** Two channels beside the main one, the default of both sides. */
export const MULTIFD_CASES = {
  multifd: { guest: {}, memoryMiB: 1024, capabilities: ['multifd'] },
  multifd50: { guest: { filledMiB: 600, dirtyRate: 50 * MB }, memoryMiB: 1024, capabilities: ['multifd'] },
  multifdFull: { ...full, parameters: { 'max-bandwidth': 0 } },
  multifdZlib: { ...full, parameters: { 'max-bandwidth': 0, 'multifd-compression': 'zlib' } },
  multifdZstd: { ...full, parameters: { 'max-bandwidth': 0, 'multifd-compression': 'zstd' } },
} as const;
