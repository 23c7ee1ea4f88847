import { createReadStream, fstatSync, type Stats } from 'node:fs';
import net from 'node:net';
import { TlsError, TransportError, transportFailure } from '../errors.ts';
import type { MigrationChannel } from '../transport/channel.ts';
import type { ThreadTarget } from './channel-thread-messages.ts';
import { socketChannel } from './incoming-connection.ts';
import { StreamChannel } from './stream-channel.ts';
import type { TlsAcceptor } from './tls-server.ts';

/**
 * An open descriptor to write to, for the thread that then owns it: a socket, a pipe, or a file.
 *
 * @throws TransportError; TlsError when it is to be secured and is no socket
 */
export function descriptorTarget(fd: number, secured = false): ThreadTarget {
  const stat = statOf(fd);
  if (secured && !stat.isSocket()) throw noSocket(`fd:${fd}`);
  return stat.isFile() ? { kind: 'file', fd, position: undefined } : { kind: 'stream', fd };
}

/** A channel that reads from an open descriptor: a socket, which may be secured, a pipe, or a file. @throws TransportError, TlsError */
export async function descriptorChannel(fd: number, tls?: TlsAcceptor): Promise<MigrationChannel> {
  const name = `fd:${fd}`;
  if (statOf(fd).isSocket()) {
    const socket = new net.Socket({ fd, allowHalfOpen: true });
    return socketChannel(name, tls === undefined ? socket : await tls.secure(name, socket));
  }
  if (tls !== undefined) throw noSocket(name);
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

function noSocket(name: string): TlsError {
  return new TlsError(`${name}: TLS needs a socket, and this descriptor is none; unset tls-creds`);
}
