/** Numbers of QEMU's migration stream (QEMU migration/savevm.h and ram.c, v10.0). All integers are big-endian. */

/** "QEVM". */
export const VM_FILE_MAGIC = 0x5145564d;
export const VM_FILE_VERSION = 3;

/** First byte of everything after the header. */
export const SECTION = {
  eof: 0x00,
  start: 0x01,
  part: 0x02,
  end: 0x03,
  full: 0x04,
  subsection: 0x05,
  vmdescription: 0x06,
  configuration: 0x07,
  command: 0x08,
  footer: 0x7e,
} as const;

/** Commands to the destination. */
export const COMMAND = {
  openReturnPath: 1,
  ping: 2,
  postcopyAdvise: 3,
  postcopyListen: 4,
  postcopyRun: 5,
  postcopyRamDiscard: 6,
  packaged: 7,
  enableColo: 8,
  postcopyResume: 9,
  recvBitmap: 10,
  switchoverStart: 11,
} as const;

/** Payload bytes of commands with a fixed length. */
export const COMMAND_LENGTH: ReadonlyMap<number, number> = new Map([
  [COMMAND.openReturnPath, 0],
  [COMMAND.ping, 4],
  [COMMAND.postcopyListen, 0],
  [COMMAND.postcopyRun, 0],
  [COMMAND.packaged, 4],
  [COMMAND.enableColo, 0],
  [COMMAND.postcopyResume, 0],
  [COMMAND.switchoverStart, 0],
]);

/** Messages of the return path, destination to source. */
export const RETURN_PATH = {
  shut: 1,
  pong: 2,
  requestPagesId: 3,
  requestPages: 4,
  recvBitmap: 5,
  resumeAck: 6,
  switchoverAck: 7,
} as const;

/** Low bits of a RAM record's address. */
export const RAM_FLAG = {
  zero: 0x02,
  memSize: 0x04,
  page: 0x08,
  eos: 0x10,
  continue: 0x20,
  xbzrle: 0x40,
  hook: 0x80,
  compressPage: 0x100,
  multifdFlush: 0x200,
} as const;

/** Largest record or device section that a reader holds at once. */
export const MAX_BUFFERED = 64 * 2 ** 20;
