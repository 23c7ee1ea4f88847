import { createReadStream, createWriteStream, fstatSync, type Stats } from 'node:fs';
import net from 'node:net';
import { TransportError } from '../errors.ts';
import type { MigrationChannel } from '../transport/channel.ts';
import { socketChannel } from './socket.ts';
import { StreamChannel } from './stream-channel.ts';

/** A channel over an open descriptor: a socket, a pipe, or a file. */
export function descriptorChannel(fd: number, direction: 'out' | 'in'): MigrationChannel {
  const name = `fd:${fd}`;
  const stats = statOf(fd);
  if (stats.isSocket()) return socketChannel(name, new net.Socket({ fd, allowHalfOpen: true }));
  if (direction === 'in')
    return new StreamChannel({ name, readable: createReadStream('', { fd }), bidirectional: false });
  return new StreamChannel({ name, writable: createWriteStream('', { fd }), bidirectional: false });
}

function statOf(fd: number): Stats {
  try {
    return fstatSync(fd);
  } catch (error) {
    throw new TransportError(`descriptor ${fd} is not open in this process`, { cause: error });
  }
}
