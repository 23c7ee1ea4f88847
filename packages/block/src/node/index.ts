export * from './node-host-images.ts';
