import { RETURN_PATH } from './constants.ts';

/** A kind of message on the return path. */
export interface ReturnPathMessage {
  readonly name: string;
  /** Bytes of its payload; undefined when that varies. */
  readonly length?: number;
  /** The feature it belongs to, when that is not offered here. */
  readonly of?: string;
}

/** All messages by number (QEMU migration/migration.c rp_cmd_args, v10.0). */
export const RETURN_PATH_MESSAGES: ReadonlyMap<number, ReturnPathMessage> = new Map([
  [RETURN_PATH.shut, { name: 'SHUT', length: 4 }],
  [RETURN_PATH.pong, { name: 'PONG', length: 4 }],
  [RETURN_PATH.requestPagesId, { name: 'REQ_PAGES_ID', of: 'postcopy' }],
  [RETURN_PATH.requestPages, { name: 'REQ_PAGES', length: 12, of: 'postcopy' }],
  [RETURN_PATH.recvBitmap, { name: 'RECV_BITMAP', of: 'recovery of postcopy' }],
  [RETURN_PATH.resumeAck, { name: 'RESUME_ACK', length: 4, of: 'recovery of postcopy' }],
  [RETURN_PATH.switchoverAck, { name: 'SWITCHOVER_ACK', length: 0 }],
]);
