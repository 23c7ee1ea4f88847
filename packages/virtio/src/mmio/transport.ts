import type { IrqLine, Logger } from '@sterna/core';
import {
  CONFIG,
  DEVICE_ID,
  MAGIC,
  MAGIC_VALUE,
  VENDOR,
  VENDOR_ID,
  VERSION,
  VERSION_LEGACY,
  VERSION_MODERN,
} from './registers.ts';

/**
 * A virtio-mmio transport with nothing plugged in: it identifies itself, and its
 * device id 0 tells drivers to leave it alone (virtio 1.2 §4.2.3.1.1). All other
 * registers read as zero and ignore writes.
 *
 * @see QEMU hw/virtio/virtio-mmio.c, v10.0
 */
export class VirtioMmio {
  /** Interface version 1 with page numbers instead of queue addresses. */
  readonly legacy: boolean;
  readonly #irq: IrqLine;
  readonly #logger: Logger;

  constructor(legacy: boolean, irq: IrqLine, logger: Logger) {
    this.legacy = legacy;
    this.#irq = irq;
    this.#logger = logger;
  }

  /** Without a device there is no interrupt. */
  lowerIrq(): void {
    this.#irq.set(false);
  }

  read(offset: number, size: number): number {
    if (offset < CONFIG && size !== 4) {
      this.#logger.guestError(`virtio-mmio: read of ${size} bytes at register 0x${offset.toString(16)}`);
    }
    switch (offset) {
      case MAGIC_VALUE:
        return MAGIC;
      case VERSION:
        return this.legacy ? VERSION_LEGACY : VERSION_MODERN;
      case VENDOR_ID:
        return VENDOR;
      case DEVICE_ID:
        return 0;
      default:
        return 0;
    }
  }

  write(offset: number, value: number, size: number): void {
    this.#logger.guestError(
      `virtio-mmio: write of 0x${value.toString(16)} (${size} bytes) at 0x${offset.toString(16)} of an empty transport`,
    );
  }
}
