import type { CoreNote } from '../../cpu/core-file.ts';

/** A piece of memory that a core file names: where it is seen, where it is, and which bytes of the file hold it. */
export interface CoreSegment {
  readonly virtual: bigint;
  readonly physical: number;
  /** Length as it is seen. */
  readonly size: number;
  /** How much of it the file holds. */
  readonly stored: number;
  /** Place of its bytes among all those of the file; undefined when the file has none of them. */
  readonly offset: number | undefined;
}

const HEADER = 64;
const SECTION_HEADER = 64;
const PROGRAM_HEADER = 56;
const STRINGS = '\0.shstrtab\0';
const [ET_CORE, EV_CURRENT, PT_LOAD, PT_NOTE, SHT_STRTAB] = [4, 1, 1, 4, 3];
/** Number of program headers from which on it is told elsewhere (gABI 4.1, "e_phnum"). */
const PN_XNUM = 0xffff;

/** What stands before and behind the bytes of memory in a core file. */
export interface CoreFrame {
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
}

/**
 * Makes the frame of an ELF core file: header, section headers, program headers and notes, then memory, then the
 * section's name.
 *
 * @param memorySize Bytes of memory in between.
 */
export function coreFrame(
  machine: number,
  notes: readonly CoreNote[],
  segments: readonly CoreSegment[],
  memorySize: number,
): CoreFrame {
  const noteBytes = notes.map(encodeNote);
  const notesSize = noteBytes.reduce((sum, { length }) => sum + length, 0);
  const headers = segments.length + 1;
  const sectionsAt = HEADER;
  const programsAt = sectionsAt + 2 * SECTION_HEADER;
  const notesAt = programsAt + headers * PROGRAM_HEADER;
  const memoryAt = notesAt + notesSize;
  const head = new Uint8Array(memoryAt);
  const view = new DataView(head.buffer);

  head.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, EV_CURRENT]);
  view.setUint16(16, ET_CORE, true);
  view.setUint16(18, machine, true);
  view.setUint32(20, EV_CURRENT, true);
  setU64(view, 32, programsAt);
  setU64(view, 40, sectionsAt);
  view.setUint16(52, HEADER, true);
  view.setUint16(54, PROGRAM_HEADER, true);
  view.setUint16(56, Math.min(headers, PN_XNUM), true);
  view.setUint16(58, SECTION_HEADER, true);
  view.setUint16(60, 2, true);
  view.setUint16(62, 1, true);

  if (headers >= PN_XNUM) view.setUint32(sectionsAt + 44, headers, true);
  const strings = sectionsAt + SECTION_HEADER;
  view.setUint32(strings, 1, true);
  view.setUint32(strings + 4, SHT_STRTAB, true);
  setU64(view, strings + 24, memoryAt + memorySize);
  setU64(view, strings + 32, STRINGS.length);

  programHeader(view, programsAt, PT_NOTE, {
    at: notesAt,
    virtual: 0n,
    physical: 0,
    stored: notesSize,
    size: notesSize,
  });
  for (const [index, { virtual, physical, size, stored, offset }] of segments.entries())
    programHeader(view, programsAt + (index + 1) * PROGRAM_HEADER, PT_LOAD, {
      at: offset === undefined ? 0 : memoryAt + offset,
      virtual,
      physical,
      stored,
      size,
    });
  let at = notesAt;
  for (const bytes of noteBytes) {
    head.set(bytes, at);
    at += bytes.length;
  }
  return { head, tail: new TextEncoder().encode(STRINGS) };
}

interface ProgramHeader {
  readonly at: number;
  readonly virtual: bigint;
  readonly physical: number;
  readonly stored: number;
  readonly size: number;
}

function programHeader(view: DataView, at: number, type: number, header: ProgramHeader): void {
  view.setUint32(at, type, true);
  setU64(view, at + 8, header.at);
  view.setBigUint64(at + 16, header.virtual, true);
  setU64(view, at + 24, header.physical);
  setU64(view, at + 32, header.stored);
  setU64(view, at + 40, header.size);
}

function setU64(view: DataView, at: number, value: number): void {
  view.setBigUint64(at, BigInt(value), true);
}

/** A note: sizes and type, the name and the content, each filled up to four bytes. */
function encodeNote({ name, type, bytes }: CoreNote): Uint8Array {
  const label = new TextEncoder().encode(`${name}\0`);
  const contentAt = 12 + roundUp(label.length);
  const note = new Uint8Array(contentAt + roundUp(bytes.length));
  const view = new DataView(note.buffer);
  view.setUint32(0, label.length, true);
  view.setUint32(4, bytes.length, true);
  view.setUint32(8, type, true);
  note.set(label, 12);
  note.set(bytes, contentAt);
  return note;
}

function roundUp(length: number): number {
  return (length + 3) & ~3;
}
