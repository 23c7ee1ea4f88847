import { type BzImage, isBzImage, parseBzImage } from './bzimage.ts';
import { isElf } from './elf.ts';
import { imageError } from './image-reader.ts';
import { findMultibootHeader, type MultibootImage, parseMultiboot } from './multiboot.ts';
import { type PvhImage, parsePvh } from './pvh.ts';

/** A kernel in one of the formats that `-kernel` takes. */
export type KernelImage = BzImage | PvhImage | MultibootImage;

/**
 * Recognises a kernel in QEMU's order: the Linux header first, then a multiboot header (also inside an ELF file), then
 * ELF with a PVH note (QEMU hw/i386/x86-common.c, v10.0).
 *
 * QUIRK: what is none of these QEMU takes for a Linux kernel from before 2.00; here it is refused, since no such kernel
 * runs in long mode and the usual cause is a wrong file.
 *
 * @throws SternaError `STERNA_ERR_IMAGE_FORMAT` with what was looked for.
 */
export function parseKernel(bytes: Uint8Array): KernelImage {
  if (isBzImage(bytes)) return parseBzImage(bytes);
  const header = findMultibootHeader(bytes);
  if (header !== undefined) return parseMultiboot(bytes, header);
  if (isElf(bytes)) return parsePvh(bytes);
  throw imageError(
    'kernel',
    'neither a Linux bzImage ("HdrS" at offset 0x202), nor multiboot (magic in the first 8 KiB), nor ELF with a PVH note',
  );
}
