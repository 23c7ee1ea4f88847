/** What commands to the destination say. */
import { COMMAND } from '../stream/constants.ts';
import { ByteCursor } from '../stream/cursor.ts';

/** QEMU's names. */
const NAMES: Readonly<Record<number, string>> = {
  [COMMAND.openReturnPath]: 'OPEN_RETURN_PATH',
  [COMMAND.ping]: 'PING',
  [COMMAND.postcopyAdvise]: 'POSTCOPY_ADVISE',
  [COMMAND.postcopyListen]: 'POSTCOPY_LISTEN',
  [COMMAND.postcopyRun]: 'POSTCOPY_RUN',
  [COMMAND.postcopyRamDiscard]: 'POSTCOPY_RAM_DISCARD',
  [COMMAND.packaged]: 'PACKAGED',
  [COMMAND.enableColo]: 'ENABLE_COLO',
  [COMMAND.postcopyResume]: 'POSTCOPY_RESUME',
  [COMMAND.recvBitmap]: 'RECV_BITMAP',
  [COMMAND.switchoverStart]: 'SWITCHOVER_START',
};

/** The name of a command, as QEMU has it. */
export function commandName(command: number): string {
  return NAMES[command] ?? `command ${command}`;
}

/** What a command's payload says; empty when it has none, or not the right one. */
export function commandMeaning(command: number, payload: Uint8Array): string {
  try {
    return meaning(command, new ByteCursor(payload));
  } catch {
    return `${payload.length} bytes that are not its payload`;
  }
}

function meaning(command: number, cursor: ByteCursor): string {
  switch (command) {
    case COMMAND.ping:
      return `value 0x${cursor.u32().toString(16)}, to be answered`;
    case COMMAND.openReturnPath:
      return 'the destination answers on this channel';
    case COMMAND.switchoverStart:
      return 'the guest stands still, the last parts follow';
    case COMMAND.packaged:
      return `${cursor.u32()} bytes of sections follow as a package`;
    case COMMAND.postcopyAdvise:
      if (cursor.left === 0) return 'without RAM';
      return `host pages 0x${cursor.u64().toString(16)}, target pages of ${cursor.u64()} bytes`;
    case COMMAND.recvBitmap:
      return `of block ${cursor.countedString()}`;
    case COMMAND.postcopyRamDiscard: {
      const version = cursor.u8();
      const name = cursor.countedString();
      cursor.u8();
      const ranges: string[] = [];
      while (cursor.left > 0) ranges.push(`0x${cursor.u64().toString(16)}+0x${cursor.u64().toString(16)}`);
      return `version ${version}, of block ${name}: ${ranges.join(', ')}`;
    }
    default:
      return '';
  }
}
