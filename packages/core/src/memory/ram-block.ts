/** A named piece of guest RAM. Its name and sizes are on the wire. */
export interface RamBlock {
  /** QEMU's block name, for example `microvm.ram`. */
  readonly name: string;
  /** Wasm address of its first byte, 64 KiB aligned. */
  readonly hostOffset: number;
  /** Bytes in use; what the RAM section calls the length. */
  readonly usedLength: number;
  /** Bytes that may come into use. */
  readonly maxLength: number;
  /** True when a migration may bring another used length. */
  readonly resizable: boolean;
}
