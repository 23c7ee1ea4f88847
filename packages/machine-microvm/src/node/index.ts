export * from './firmware-files.ts';
