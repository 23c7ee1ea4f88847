export * from './kinds.ts';
export * from './names.ts';
export * from './plugin-files.ts';
