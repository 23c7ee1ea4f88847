import { SternaError } from '@sterna/core';

const ELF_MAGIC = 0x464c_457f;
/** National CompactRISC CR16 (System V ABI, list of machines). */
const EM_CR16 = 177;
const PT_LOAD = 1;

/** A piece of a program and where it belongs. */
export interface Segment {
  readonly address: number;
  readonly bytes: Uint8Array;
  /** Bytes in memory; what the file does not hold is zero. */
  readonly size: number;
}

/** A program for the board. */
export interface Program {
  readonly entry: number;
  readonly segments: readonly Segment[];
}

function refused(why: string): SternaError {
  return new SternaError('STERNA_ERR_IMAGE_FORMAT', `CR16 program: ${why}`);
}

/**
 * Reads a program: an ELF executable for CR16, or bytes for address 0.
 *
 * @throws SternaError `STERNA_ERR_IMAGE_FORMAT` for an ELF file that is not for CR16 or is cut off.
 */
export function readProgram(file: Uint8Array): Program {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < 52 || view.getUint32(0, true) !== ELF_MAGIC)
    return { entry: 0, segments: [{ address: 0, bytes: file, size: file.length }] };
  if (file[4] !== 1 || file[5] !== 1) throw refused('not a little-endian ELF file of 32 bits');
  const machine = view.getUint16(18, true);
  if (machine !== EM_CR16) throw refused(`machine ${machine} at offset 18 is not CR16 (${EM_CR16})`);
  const [table, entrySize, count] = [view.getUint32(28, true), view.getUint16(42, true), view.getUint16(44, true)];
  if (count > 0 && entrySize < 32) throw refused(`program headers of ${entrySize} bytes are shorter than 32`);
  const segments: Segment[] = [];
  for (let i = 0; i < count; i++) {
    const at = table + i * entrySize;
    if (at + 32 > file.length) throw refused(`program header ${i} at offset ${at} is behind the end, ${file.length}`);
    const word = (offset: number): number => view.getUint32(at + offset, true);
    if (word(0) !== PT_LOAD) continue;
    const [offset, address, inFile, size] = [word(4), word(12), word(16), word(20)];
    if (offset + inFile > file.length || size < inFile)
      throw refused(`segment ${i} has ${inFile} bytes at ${offset} of a file of ${file.length}, ${size} in memory`);
    segments.push({ address, bytes: file.subarray(offset, offset + inFile), size });
  }
  return { entry: view.getUint32(24, true), segments };
}
