import { type Service, service } from '@sterna/core';

/** What happens around a file. */
export interface FwCfgFileOptions {
  /** The guest has selected the file and will read it from its start: the last moment to make its bytes. */
  readonly onSelect?: () => void;
  /** The guest has written bytes; without it the file is read-only. */
  readonly onWrite?: (offset: number, length: number) => void;
}

/** A file of the directory. */
export interface FwCfgFile {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** Replaces the bytes; the directory follows. */
  setBytes(bytes: Uint8Array): void;
}

/** True sizes of the ACPI blobs, in bytes. */
export interface AcpiSizes {
  readonly tables: number;
  readonly linker: number;
  readonly rsdp: number;
}

/** The owner of the ACPI blobs, whose sizes travel in `fw_cfg/acpi_mr`. */
export interface AcpiBlobOwner {
  sizes(): AcpiSizes;
  /**
   * The source's blobs have these sizes; their bytes arrive as RAM.
   *
   * @throws RangeError when a blob cannot be that large.
   */
  resize(sizes: AcpiSizes): void;
}

/** Where a machine and its devices put what firmware shall find. */
export interface FwCfg {
  /** Sets the item `key`. The bytes are not copied: a view of a RAM block stays live. */
  addBytes(key: number, bytes: Uint8Array): void;
  addU16(key: number, value: number): void;
  addU32(key: number, value: number): void;
  /** @param value Below 2^53. */
  addU64(key: number, value: number): void;
  /** Sets an item to a text and its NUL. */
  addString(key: number, text: string): void;
  /**
   * Adds a named file. The directory is kept in order of names, so selectors do not depend on the order of adding.
   *
   * @throws RangeError when the name is too long or taken, or all 32 slots are used.
   */
  addFile(name: string, bytes: Uint8Array, options?: FwCfgFileOptions): FwCfgFile;
  /** The file of that name. */
  file(name: string): FwCfgFile | undefined;
  /** Declares that the ACPI blobs exist. */
  attachAcpi(owner: AcpiBlobOwner): void;
}
/** The machine's firmware configuration. */
export const FwCfg: Service<FwCfg> = service('x86/FwCfg');
