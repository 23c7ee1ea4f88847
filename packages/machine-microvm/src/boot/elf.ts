import { hex, ImageReader, imageError } from './image-reader.ts';

const ELF_MAGIC = 0x464c_457f;
const PT_LOAD = 1;
const PT_NOTE = 4;
const EM_386 = 3;
const EM_X86_64 = 62;
const ET_EXEC = 2;
const ET_DYN = 3;

/** A piece of an ELF file that belongs into memory. */
export interface ElfSegment {
  /** Physical address. */
  readonly address: number;
  readonly bytes: Uint8Array;
  /** Size in memory; what the file does not hold is zero. */
  readonly size: number;
}

/** An entry of a note segment. */
export interface ElfNote {
  readonly name: string;
  readonly type: number;
  readonly content: Uint8Array;
  /** File offset of the entry, for messages. */
  readonly offset: number;
}

/** An executable ELF file for x86, as far as a boot loader looks. */
export interface ElfImage {
  readonly bits: 32 | 64;
  readonly entry: number;
  readonly segments: readonly ElfSegment[];
  readonly notes: readonly ElfNote[];
  /** Lowest physical address and the first one after the image. */
  readonly start: number;
  readonly end: number;
}

/** True when the file begins as ELF files do. */
export function isElf(bytes: Uint8Array): boolean {
  return bytes.length >= 4 && new ImageReader(bytes, 'kernel').u32(0, 'magic') === ELF_MAGIC;
}

/**
 * Reads headers, loadable segments and notes of an ELF executable.
 *
 * @throws SternaError `STERNA_ERR_IMAGE_FORMAT` when it is none for x86 or a header contradicts the file.
 */
export function parseElf(bytes: Uint8Array): ElfImage {
  const file = new ImageReader(bytes, 'ELF kernel');
  if (file.u32(0, 'magic') !== ELF_MAGIC) throw imageError(file.what, 'no ELF magic at offset 0');
  const elfClass = file.u8(4, 'EI_CLASS');
  if (elfClass !== 1 && elfClass !== 2)
    throw imageError(file.what, `class ${elfClass} at offset 4 is neither 32 nor 64 bit`);
  if (file.u8(5, 'EI_DATA') !== 1) throw imageError(file.what, 'not little-endian (offset 5)');
  const wide = elfClass === 2;
  const word = (offset: number, field: string) => (wide ? file.u64(offset, field) : file.u32(offset, field));
  const type = file.u16(16, 'e_type');
  if (type !== ET_EXEC && type !== ET_DYN)
    throw imageError(file.what, `type ${type} at offset 16 is not an executable`);
  const machine = file.u16(18, 'e_machine');
  if (machine !== EM_386 && machine !== EM_X86_64)
    throw imageError(file.what, `machine ${machine} at offset 18 is not x86`);
  const entry = word(24, 'e_entry');
  const tableOffset = word(wide ? 32 : 28, 'e_phoff');
  const entrySize = file.u16(wide ? 54 : 42, 'e_phentsize');
  const count = file.u16(wide ? 56 : 44, 'e_phnum');
  const minimum = wide ? 56 : 32;
  if (count > 0 && entrySize < minimum)
    throw imageError(file.what, `program headers of ${entrySize} bytes are shorter than ${minimum}`);
  const segments: ElfSegment[] = [];
  const notes: ElfNote[] = [];
  for (let i = 0; i < count; i++) {
    const at = tableOffset + i * entrySize;
    file.need(at, minimum, `program header ${i}`);
    const kind = file.u32(at, 'p_type');
    const offset = word(at + (wide ? 8 : 4), 'p_offset');
    const address = word(at + (wide ? 24 : 12), 'p_paddr');
    const fileSize = word(at + (wide ? 32 : 16), 'p_filesz');
    const size = word(at + (wide ? 40 : 20), 'p_memsz');
    if (kind === PT_NOTE) {
      const align = word(at + (wide ? 48 : 28), 'p_align');
      notes.push(...parseNotes(file, offset, fileSize, align === 8 ? 8 : 4));
    }
    if (kind !== PT_LOAD || size === 0) continue;
    if (fileSize > size)
      throw imageError(
        file.what,
        `segment ${i}: ${fileSize} bytes in the file, ${size} in memory (header at ${hex(at)})`,
      );
    if (!Number.isSafeInteger(address + size))
      throw imageError(file.what, `segment ${i} ends beyond every address (header at ${hex(at)})`);
    segments.push({ address, bytes: file.slice(offset, fileSize, `segment ${i}`), size });
  }
  if (segments.length === 0) throw imageError(file.what, 'there is no loadable segment');
  const start = segments.reduce((low, s) => Math.min(low, s.address), Number.MAX_SAFE_INTEGER);
  const end = segments.reduce((high, s) => Math.max(high, s.address + s.size), 0);
  return { bits: wide ? 64 : 32, entry, segments, notes, start, end };
}

/** Notes are `namesz, descsz, type` and the two texts, each padded to the segment's alignment. */
function parseNotes(file: ImageReader, start: number, length: number, align: number): ElfNote[] {
  file.need(start, length, 'note segment');
  const notes: ElfNote[] = [];
  const end = start + length;
  let at = start;
  while (at + 12 <= end) {
    const nameSize = file.u32(at, 'note name size');
    const size = file.u32(at + 4, 'note content size');
    const type = file.u32(at + 8, 'note type');
    const content = at + 12 + Math.ceil(nameSize / align) * align;
    const next = content + Math.ceil(size / align) * align;
    if (content + size > end) throw imageError(file.what, `the note at offset ${hex(at)} is longer than its segment`);
    const name = String.fromCharCode(...file.slice(at + 12, Math.min(nameSize, 256), 'note name'));
    notes.push({ name: name.replace(/\0.*$/s, ''), type, content: file.slice(content, size, 'note'), offset: at });
    at = next;
  }
  return notes;
}
