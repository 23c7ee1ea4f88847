import type { RegionOps } from './region.ts';

/** One 32-bit register. A register without `write` is read-only, one without `read` reads as zero. */
export interface Register {
  /** Byte offset in the region, a multiple of 4. */
  readonly offset: number;
  read?(): number;
  write?(value: number): void;
}

/** A device's registers by their datasheet names. */
export type RegisterTable = Readonly<Record<string, Register>>;

/** Told about accesses that the device does not define. */
export type GuestErrorSink = (text: string) => void;

/**
 * Turns a register table into region operations. Narrow reads take bytes of the register; narrow writes are
 * guest errors, because read-modify-write on a register with side effects is never what the hardware does.
 *
 * @throws TypeError when two registers share an offset or an offset is not aligned.
 */
export function registerOps(
  device: string,
  table: RegisterTable,
  guestError: GuestErrorSink,
): RegionOps & { readonly size: number } {
  const entries = Object.entries(table);
  const size = Math.max(4, ...entries.map(([, register]) => register.offset + 4));
  const byWord: (Register | undefined)[] = new Array(size / 4).fill(undefined);
  for (const [name, register] of entries) {
    if (register.offset % 4 !== 0 || register.offset < 0)
      throw new TypeError(`${device}: register ${name} has offset ${register.offset}, not a multiple of 4`);
    if (byWord[register.offset / 4] !== undefined)
      throw new TypeError(`${device}: register ${name} declared twice at offset 0x${register.offset.toString(16)}`);
    byWord[register.offset / 4] = register;
  }
  return {
    size,
    read(offset, width) {
      const register = byWord[offset >>> 2];
      if (register?.read === undefined) {
        guestError(`read of ${width} bytes at unknown or write-only offset 0x${offset.toString(16)}`);
        return 0;
      }
      const value = register.read() >>> ((offset & 3) * 8);
      return width === 4 ? value >>> 0 : value & ((1 << (width * 8)) - 1);
    },
    write(offset, value, width) {
      const register = byWord[offset >>> 2];
      if (register?.write === undefined)
        guestError(`write of 0x${value.toString(16)} at unknown or read-only offset 0x${offset.toString(16)}`);
      else if (width !== 4 || offset % 4 !== 0)
        guestError(`write of ${width} bytes to a 32-bit register at offset 0x${offset.toString(16)}`);
      else register.write(value);
    },
  };
}
