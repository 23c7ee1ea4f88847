export * from './lifecycle/channel.ts';
export * from './lifecycle/lifecycle.ts';
export * from './lifecycle/machine.ts';
export * from './lifecycle/migrate.ts';
export * from './patience.ts';
export * from './simulation/threads.ts';
export * from './vm-process.ts';
