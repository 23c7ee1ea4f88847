export * from './mmio/registers.ts';
export type { VirtioMmio } from './mmio/transport.ts';
export { virtioMmio } from './mmio/virtio-mmio.ts';
