import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { assemble } from '@sterna/guests';

/** Kinds of code the guest can run: 64-bit, 32-bit with paging, 32-bit without. */
export type GuestMode = 64 | 32 | 31;

/** A guest that loops, as a ROM, and the addresses of its labels. */
export interface DebugGuest {
  readonly rom: Uint8Array;
  at(label: string): string;
}

/** Assembles the guest of `guest.asm`. */
export function debugGuest(mode: GuestMode): DebugGuest {
  const source = readFileSync(join(import.meta.dirname, 'guest.asm'), 'utf8');
  const { bytes, symbols } = assemble(source, { file: 'guest.asm', defines: { MODE: mode } });
  return {
    rom: bytes,
    at(label) {
      const address = symbols.get(label);
      if (address === undefined) throw new Error(`guest.asm has no label '${label}'`);
      return `0x${address.toString(16)}`;
    },
  };
}
