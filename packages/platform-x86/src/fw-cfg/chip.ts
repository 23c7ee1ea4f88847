import type { Dma, Logger } from '@sterna/core';
import {
  ARCH_LOCAL,
  DMA_ERROR,
  DMA_READ,
  DMA_SELECT,
  DMA_SKIP,
  DMA_WRITE,
  ENTRY_MASK,
  FILE_NAME_SIZE,
  FW_CFG,
  INVALID,
} from './keys.ts';
import type { AcpiBlobOwner, FwCfg, FwCfgFile, FwCfgFileOptions } from './service.ts';

const DIRECTORY_ENTRY_SIZE = 64;
const MAX_ENTRY = FW_CFG.FILE_FIRST + FW_CFG.FILE_SLOTS;
/** "QEMU" and "QEMU CFG" as the interface spells them. */
const SIGNATURE = new TextEncoder().encode('QEMU');
const DMA_SIGNATURE = new TextEncoder().encode('QEMU CFG');
const ID_TRADITIONAL = 1;
const ID_DMA = 2;
const REQUEST_SIZE = 16;
const MAX_ADDRESS_HIGH = 2 ** 20;

/** Bytes behind a selector. */
class Item {
  bytes: Uint8Array;
  readonly options: FwCfgFileOptions;

  constructor(bytes: Uint8Array, options: FwCfgFileOptions = {}) {
    this.bytes = bytes;
    this.options = options;
  }
}

/**
 * QEMU's firmware configuration device: items by number and files by name, read
 * byte by byte or by DMA.
 *
 * @see QEMU docs/specs/fw_cfg.rst, v10.0
 */
export class FwCfgDevice implements FwCfg {
  curEntry = FW_CFG.SIGNATURE as number;
  curOffset = 0;
  /**
   * Address of the DMA request, as the guest's two big-endian halves. One that waits for guest pages keeps its address, so
   * that it travels in the field that QEMU has for the half that is written first.
   */
  dmaHigh = 0;
  dmaLow = 0;
  acpi: AcpiBlobOwner | undefined;
  readonly dmaEnabled: boolean;

  readonly #items = new Map<number, Item>();
  readonly #files: { readonly name: string; readonly item: Item }[] = [];
  readonly #directory = new Uint8Array(4 + DIRECTORY_ENTRY_SIZE * FW_CFG.FILE_SLOTS);
  readonly #dma: Dma;
  readonly #logger: Logger;
  readonly #request = new Uint8Array(REQUEST_SIZE);
  readonly #zeros = new Uint8Array(4096);

  constructor(dmaEnabled: boolean, dma: Dma, logger: Logger) {
    this.dmaEnabled = dmaEnabled;
    this.#dma = dma;
    this.#logger = logger;
    this.addBytes(FW_CFG.SIGNATURE, SIGNATURE);
    this.addU32(FW_CFG.ID, ID_TRADITIONAL | (dmaEnabled ? ID_DMA : 0));
    this.addBytes(FW_CFG.FILE_DIR, this.#directory);
  }

  reset(): void {
    this.select(FW_CFG.SIGNATURE);
    this.#forgetRequest();
  }

  // --- items ---

  addBytes(key: number, bytes: Uint8Array): void {
    this.#items.set(key, new Item(bytes));
  }

  addU16(key: number, value: number): void {
    this.addBytes(key, Uint8Array.of(value, value >>> 8));
  }

  addU32(key: number, value: number): void {
    this.addBytes(key, Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24));
  }

  addU64(key: number, value: number): void {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
    this.addBytes(key, bytes);
  }

  addString(key: number, text: string): void {
    this.addBytes(key, new TextEncoder().encode(`${text}\0`));
  }

  addFile(name: string, bytes: Uint8Array, options: FwCfgFileOptions = {}): FwCfgFile {
    if (new TextEncoder().encode(name).length >= FILE_NAME_SIZE) {
      throw new RangeError(`fw_cfg file name '${name}' exceeds ${FILE_NAME_SIZE - 1} bytes`);
    }
    if (this.file(name) !== undefined) throw new RangeError(`fw_cfg file '${name}' exists already`);
    if (this.#files.length === FW_CFG.FILE_SLOTS) {
      throw new RangeError(`fw_cfg has no slot for '${name}': all ${FW_CFG.FILE_SLOTS} are used`);
    }
    const item = new Item(bytes, options);
    this.#files.push({ name, item });
    this.#files.sort((a, b) => (a.name < b.name ? -1 : 1));
    this.#renumber();
    return this.#handle(name, item);
  }

  file(name: string): FwCfgFile | undefined {
    const found = this.#files.find((file) => file.name === name);
    return found === undefined ? undefined : this.#handle(name, found.item);
  }

  #handle(name: string, item: Item): FwCfgFile {
    return {
      name,
      get bytes() {
        return item.bytes;
      },
      setBytes: (bytes) => {
        item.bytes = bytes;
        this.#renumber();
      },
    };
  }

  #renumber(): void {
    const view = new DataView(this.#directory.buffer);
    this.#directory.fill(0);
    view.setUint32(0, this.#files.length);
    for (const [index, { name, item }] of this.#files.entries()) {
      const at = 4 + index * DIRECTORY_ENTRY_SIZE;
      const key = FW_CFG.FILE_FIRST + index;
      view.setUint32(at, item.bytes.length);
      view.setUint16(at + 4, key);
      this.#directory.set(new TextEncoder().encode(name), at + 8);
      this.#items.set(key, item);
    }
  }

  attachAcpi(owner: AcpiBlobOwner): void {
    this.acpi = owner;
  }

  // --- selector and data ports ---

  /** Selects an item and starts at its first byte. */
  select(key: number): void {
    this.curOffset = 0;
    if ((key & ENTRY_MASK) >= MAX_ENTRY) {
      this.curEntry = INVALID;
      return;
    }
    this.curEntry = key;
    this.#current()?.options.onSelect?.();
  }

  #current(): Item | undefined {
    if (this.curEntry === INVALID) return undefined;
    return this.#items.get((this.curEntry & ENTRY_MASK) + (this.curEntry & ARCH_LOCAL));
  }

  /** The next byte; zero behind the end. */
  readByte(): number {
    const item = this.#current();
    if (item === undefined || this.curOffset >= item.bytes.length) return 0;
    return item.bytes[this.curOffset++]!;
  }

  // --- DMA port ---

  /** A byte of the DMA register, which reads as a signature. */
  readSignature(offset: number): number {
    return DMA_SIGNATURE[offset]!;
  }

  /** A half of the request's address, as a little-endian port write delivers it. The low half starts the transfer. */
  writeDma(offset: number, value: number, size: number): void {
    if (size !== 4 || (offset !== 0 && offset !== 4)) {
      this.#logger.guestError(`fw_cfg: write of ${size} bytes at DMA register offset ${offset}`);
      return;
    }
    const half = swap32(value);
    if (offset === 0) {
      this.dmaHigh = half;
      return;
    }
    this.dmaLow = half;
    this.#startTransfer();
  }

  /** After a load: makes the request again that waited for guest pages at the source. */
  resume(): void {
    if (this.dmaLow !== 0) this.#startTransfer();
  }

  #startTransfer(): void {
    const { dmaHigh: high, dmaLow: low } = this;
    const at = high * 2 ** 32 + low;
    if (high >= MAX_ADDRESS_HIGH) {
      this.#forgetRequest();
      this.#logger.guestError(`fw_cfg: DMA request at 0x${high.toString(16)}00000000 is beyond the address space`);
      return;
    }
    this.#dma.run([{ address: at, length: REQUEST_SIZE, write: true }], () => {
      if (this.#isCurrent(at)) this.#readRequest(at);
    });
  }

  /** False when a reset or another request has come while the pages of this one were missing. */
  #isCurrent(at: number): boolean {
    return this.dmaHigh * 2 ** 32 + this.dmaLow === at;
  }

  #forgetRequest(): void {
    this.dmaHigh = 0;
    this.dmaLow = 0;
  }

  #readRequest(at: number): void {
    this.#dma.read(at, this.#request);
    const view = new DataView(this.#request.buffer);
    const control = view.getUint32(0);
    const requested = view.getUint32(4);
    const high = view.getUint32(8);
    if ((control & DMA_SELECT) !== 0) this.select(control >>> 16);
    const moves = (control & (DMA_READ | DMA_WRITE)) !== 0;
    const length = moves || (control & DMA_SKIP) !== 0 ? requested : 0;
    if (high >= MAX_ADDRESS_HIGH && moves) {
      this.#finish(at, DMA_ERROR);
      return;
    }
    const address = high * 2 ** 32 + view.getUint32(12);
    const ranges = moves ? [{ address, length, write: (control & DMA_READ) !== 0 }] : [];
    this.#dma.run(ranges, () => {
      if (this.#isCurrent(at)) this.#finish(at, this.#transfer(control, address, length));
    });
  }

  /** Moves the bytes; answers the control word for the guest. */
  #transfer(control: number, address: number, length: number): number {
    const item = this.#current();
    const left = item === undefined ? 0 : Math.max(0, item.bytes.length - this.curOffset);
    const inside = Math.min(left, length);
    if ((control & DMA_READ) !== 0) {
      if (item !== undefined && inside > 0) {
        this.#dma.write(address, item.bytes.subarray(this.curOffset, this.curOffset + inside));
      }
      this.#clear(address + inside, length - inside);
    } else if ((control & DMA_WRITE) !== 0 && length > 0) {
      const onWrite = item?.options.onWrite;
      if (item === undefined || onWrite === undefined || inside !== length) {
        this.curOffset += inside;
        return DMA_ERROR;
      }
      this.#dma.read(address, item.bytes.subarray(this.curOffset, this.curOffset + length));
      onWrite(this.curOffset, length);
    }
    this.curOffset += inside;
    return 0;
  }

  #clear(address: number, length: number): void {
    for (let done = 0; done < length; done += this.#zeros.length) {
      this.#dma.write(address + done, this.#zeros.subarray(0, Math.min(this.#zeros.length, length - done)));
    }
  }

  #finish(at: number, control: number): void {
    this.#forgetRequest();
    this.#dma.writeU32(at, swap32(control));
  }
}

function swap32(value: number): number {
  return ((value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;
}
