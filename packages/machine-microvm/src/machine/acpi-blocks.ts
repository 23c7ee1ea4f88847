import type { MachineBuilder, RamBlock } from '@sterna/core';
import type { AcpiBlobs, FwCfg, FwCfgFile } from '@sterna/platform-x86';
import { fillBlock } from './physical-memory.ts';

const PAGE = 4096;
/** Largest sizes, which decide the blocks' order in the stream (QEMU hw/acpi/aml-build.h, v10.0). */
const MAX = { tables: 2 << 20, loader: 64 << 10, rsdp: PAGE } as const;

interface Blob {
  readonly block: RamBlock;
  readonly file: FwCfgFile;
  readonly bytes: Uint8Array;
}

/**
 * The ACPI blobs as QEMU keeps them: each in a resizable RAM block of its own that no address maps, since a migration
 * must bring the source's tables, and as a firmware file that shows the block.
 */
export class AcpiBlocks {
  readonly #builder: MachineBuilder;
  readonly #tables: Blob;
  readonly #loader: Blob;
  readonly #rsdp: Blob;

  constructor(builder: MachineBuilder, fwCfg: FwCfg, blobs: AcpiBlobs) {
    this.#builder = builder;
    const blob = (name: string, bytes: Uint8Array, maxLength: number): Blob => {
      const block = builder.ram(`/rom@${name}`, Math.ceil(bytes.length / PAGE) * PAGE, { maxLength, resizable: true });
      return { block, file: fwCfg.addFile(name, view(builder, block, bytes.length)), bytes };
    };
    this.#tables = blob('etc/acpi/tables', blobs.tables, MAX.tables);
    this.#loader = blob('etc/table-loader', blobs.loader, MAX.loader);
    this.#rsdp = blob('etc/acpi/rsdp', blobs.rsdp, MAX.rsdp);
    fwCfg.attachAcpi({
      sizes: () => ({
        tables: this.#tables.file.bytes.length,
        linker: this.#loader.file.bytes.length,
        rsdp: this.#rsdp.file.bytes.length,
      }),
      resize: ({ tables, linker, rsdp }) => {
        this.#show(this.#tables, tables);
        this.#show(this.#loader, linker);
        this.#show(this.#rsdp, rsdp);
      },
    });
  }

  #show({ block, file }: Blob, length: number): void {
    if (length > block.maxLength) throw new RangeError(`${block.name}: ${length} bytes, at most ${block.maxLength}`);
    file.setBytes(view(this.#builder, block, length));
  }

  /** Writes this machine's own tables again, as every reset does. */
  reset(): void {
    for (const blob of [this.#tables, this.#loader, this.#rsdp]) {
      fillBlock(this.#builder, blob.block, blob.bytes);
      this.#show(blob, blob.bytes.length);
    }
  }
}

function view(builder: MachineBuilder, block: RamBlock, length: number): Uint8Array {
  return builder.memory.u8.subarray(block.hostOffset, block.hostOffset + length);
}
