import type { Mc146818Rtc } from './chip.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

function setWord(rtc: Mc146818Rtc, index: number, value: number): void {
  rtc.setCmos(index, value & 0xff);
  rtc.setCmos(index + 1, value >> 8);
}

/**
 * Tells firmware the size of memory the way PCs do.
 *
 * @param below4g Bytes of RAM below 4 GiB.
 * @param above4g Bytes of RAM above.
 */
export function setCmosRamSize(rtc: Mc146818Rtc, below4g: number, above4g: number): void {
  setWord(rtc, 0x15, Math.min(below4g / KIB, 640));
  const extended = Math.min(Math.max(0, below4g - MIB) / KIB, 0xffff);
  setWord(rtc, 0x17, extended);
  setWord(rtc, 0x30, extended);
  setWord(rtc, 0x34, Math.min(Math.max(0, below4g - 16 * MIB) / (64 * KIB), 0xffff));
  const units = Math.floor(above4g / (64 * KIB));
  rtc.setCmos(0x5b, units % 256);
  rtc.setCmos(0x5c, Math.floor(units / 256) % 256);
  rtc.setCmos(0x5d, Math.floor(units / 65536) % 256);
}
