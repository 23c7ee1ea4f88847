/** Section framing, writing side. */
import { COMMAND, SECTION, VM_FILE_MAGIC, VM_FILE_VERSION } from './constants.ts';
import type { StreamWriter } from './writer.ts';

/** What a section's header says. */
export interface SectionHeader {
  readonly id: number;
  readonly idstr: string;
  readonly instanceId: number;
  readonly version: number;
}

/** Magic and version. */
export function writeHeader(writer: StreamWriter): void {
  writer.u32(VM_FILE_MAGIC);
  writer.u32(VM_FILE_VERSION);
}

/** Begins a section. PART and END carry only the number. */
export function beginSection(
  writer: StreamWriter,
  type: 'start' | 'part' | 'end' | 'full',
  header: SectionHeader,
): void {
  writer.probe?.sectionBegin(type, header, writer.transferred);
  writer.u8(SECTION[type]);
  writer.u32(header.id);
  if (type === 'part' || type === 'end') return;
  writer.countedString(header.idstr);
  writer.u32(header.instanceId);
  writer.u32(header.version);
}

/** Ends a section. */
export function endSection(writer: StreamWriter, id: number, footer: boolean): void {
  if (footer) {
    writer.u8(SECTION.footer);
    writer.u32(id);
  }
  writer.probe?.sectionEnd(writer.transferred);
}

/** Sends a command at once. */
export function sendCommand(
  writer: StreamWriter,
  command: keyof typeof COMMAND,
  payload: Uint8Array = new Uint8Array(),
): void {
  writer.u8(SECTION.command);
  writer.u16(COMMAND[command]);
  writer.u16(payload.length);
  writer.bytes(payload);
  writer.flush();
}
