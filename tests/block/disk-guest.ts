import { readFileSync } from 'node:fs';
import { assemble } from '@sterna/guests';

const ROM_BASE = 0xf_0000;
const ROM_SIZE = 0x1_0000;
/** Where the registers of the test disk are. */
export const DISK_BASE = 0xd000_0000;
/** Sectors that the guest uses. */
export const SECTORS = 64;
/** Guest memory: what was last written to each sector, and the number of the write under way. */
export const TABLE = 0x4_0000;
const COUNT = TABLE + SECTORS * 4;

/**
 * Writes numbered sectors without end, reads another one after each and compares it with its own memory of it. Says `.`
 * after every 16 writes, `BAD` when a sector is not what it wrote there, `ERR` when a request failed.
 */
const source = (flush: boolean) => `
bits 16
  cli
  o32 lgdt [cs:gdtr - ${ROM_BASE}]
  mov eax, cr0
  or al, 1
  mov cr0, eax
  jmp dword 8:flat
align 8
gdt: dq 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdtr: dw 23
  dd gdt
bits 32
flat:
  mov ax, 16
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov esp, 0x20000
  cld
  xor ebp, ebp
next:
  inc ebp
  mov [${COUNT}], ebp
  mov edi, 0x30000
  mov eax, ebp
  mov ecx, 128
  rep stosd
  imul esi, ebp, 5
  and esi, ${SECTORS - 1}
  mov [${DISK_BASE}], esi
  mov dword [${DISK_BASE + 4}], 0x30000
  mov dword [${DISK_BASE + 8}], 2
  call settle
  mov [${TABLE} + esi * 4], ebp
  imul esi, ebp, 11
  and esi, ${SECTORS - 1}
  mov [${DISK_BASE}], esi
  mov dword [${DISK_BASE + 4}], 0x31000
  mov dword [${DISK_BASE + 8}], 1
  call settle
  mov eax, [${TABLE} + esi * 4]
  mov edi, 0x31000
  mov ecx, 128
  repe scasd
  mov esi, bad
  jne say
  test ebp, 15
  jnz next
${flush ? `  mov dword [${DISK_BASE + 8}], 3\n  call settle` : ''}
  mov dx, 0x3f8
  mov al, '.'
  out dx, al
  jmp next
settle:
  mov eax, [${DISK_BASE + 12}]
  cmp eax, 1
  je settle
  test eax, eax
  mov ebx, esi
  mov esi, err
  jnz say
  mov esi, ebx
  ret
say:
  mov dx, 0x3f8
  mov ecx, 3
  rep outsb
stop:
  hlt
  jmp stop
bad: db 'BAD'
err: db 'ERR'
`;

/** The guest as firmware (`-bios`). @param flush - It flushes after every 16 writes. */
export function diskGuest(flush: boolean): Uint8Array {
  const rom = new Uint8Array(ROM_SIZE);
  rom.set(assemble(source(flush), { file: 'disk-guest.asm', origin: ROM_BASE, bits: 16 }).bytes);
  rom.set([0xea, 0x00, 0x00, 0x00, 0xf0], 0xfff0);
  return rom;
}

/**
 * Compares an image with what the guest remembers (`pmemsave` of {@link TABLE}). The write that was under way may be in
 * either state. Answers what is wrong.
 */
export function compareWithImage(memory: Uint8Array, imagePath: string): readonly string[] {
  const image = readFileSync(imagePath);
  const words = new DataView(memory.buffer, memory.byteOffset);
  const count = words.getUint32(SECTORS * 4, true);
  const faults: string[] = [];
  for (let sector = 0; sector < SECTORS; sector++) {
    const allowed = [words.getUint32(sector * 4, true)];
    if (((count * 5) & (SECTORS - 1)) === sector) allowed.push(count);
    for (let at = 0; at < 512; at += 4) {
      const value = image.readUInt32LE(sector * 512 + at);
      if (!allowed.includes(value)) faults.push(`sector ${sector}+${at}: ${value} instead of ${allowed.join(' or ')}`);
    }
  }
  return faults;
}
