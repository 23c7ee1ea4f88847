import { createReadStream, fstatSync, type Stats } from 'node:fs';
import net from 'node:net';
import { TransportError, transportFailure } from '../errors.ts';
import type { MigrationChannel } from '../transport/channel.ts';
import type { ThreadTarget } from './channel-thread-messages.ts';
import { socketChannel } from './socket.ts';
import { StreamChannel } from './stream-channel.ts';

/** An open descriptor to write to, for the thread that then owns it: a socket, a pipe, or a file. @throws TransportError */
export function descriptorTarget(fd: number): ThreadTarget {
  return statOf(fd).isFile() ? { kind: 'file', fd, position: undefined } : { kind: 'stream', fd };
}

/** A channel that reads from an open descriptor: a socket, a pipe, or a file. @throws TransportError */
export function descriptorChannel(fd: number): MigrationChannel {
  const name = `fd:${fd}`;
  if (statOf(fd).isSocket()) return socketChannel(name, new net.Socket({ fd, allowHalfOpen: true }));
  const readable = createReadStream('', { fd });
  return new StreamChannel({ name, readable, bidirectional: false, failure: transportFailure });
}

function statOf(fd: number): Stats {
  try {
    return fstatSync(fd);
  } catch (error) {
    throw new TransportError(`descriptor ${fd} is not open in this process`, { cause: error });
  }
}
