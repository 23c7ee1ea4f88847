/**
 * One v86 machine: `node bench/v86-machine.ts JSON`, see `v86.ts`. Its serial line is standard input and output, in
 * lines: whole ones, so that reading the clock costs the machine as little as it does under QEMU.
 */
import { readFileSync, writeSync } from 'node:fs';
import type { V86Boot } from './v86.ts';

interface Emulator {
  add_listener(event: string, listener: (value: number) => void): void;
  serial0_send(text: string): void;
}

const options = JSON.parse(process.argv[2]!) as V86Boot & {
  readonly directory: string;
  readonly bios: string;
  readonly vgaBios: string;
};
const { V86 } = (await import(`${options.directory}/build/libv86.mjs`)) as {
  readonly V86: new (settings: object) => Emulator;
};

function image(path: string): { readonly buffer: ArrayBuffer } {
  return { buffer: new Uint8Array(readFileSync(path)).buffer };
}

const emulator = new V86({
  wasm_path: `${options.directory}/build/v86.wasm`,
  memory_size: options.memory * 2 ** 20,
  vga_memory_size: 2 ** 21,
  bios: image(options.bios),
  vga_bios: image(options.vgaBios),
  ...(options.kernel === undefined ? {} : { bzimage: image(options.kernel), cmdline: options.append ?? '' }),
  ...(options.initrd === undefined ? {} : { initrd: image(options.initrd) }),
  ...(options.multiboot === undefined ? {} : { multiboot: image(options.multiboot) }),
  autostart: true,
  disable_keyboard: true,
  disable_mouse: true,
  disable_speaker: true,
});
let line = '';
emulator.add_listener('serial0-output-byte', (byte) => {
  line += String.fromCharCode(byte);
  if (byte !== 10) return;
  writeSync(1, Buffer.from(line, 'latin1'));
  line = '';
});
process.stdin.on('data', (chunk: Buffer) => emulator.serial0_send(chunk.toString('latin1')));
process.stdin.on('end', () => process.exit(0));
