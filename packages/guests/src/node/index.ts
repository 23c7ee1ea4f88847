export * from './cache.ts';
export * from './debian-packages.ts';
export * from './firmware.ts';
export * from './guest-programs.ts';
export * from './linux-guest.ts';
