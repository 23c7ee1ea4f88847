export * from './asm/index.ts';
export * from './cpio.ts';
export * from './init-script.ts';
export * from './initramfs.ts';
