import { connect } from 'node:net';
import { SternaError } from '@sterna/core';
import { QmpClient } from '../client.ts';

/** Options of {@link connectQmp}. */
export interface ConnectOptions {
  /** How long greeting and negotiation may take, in ms. A server that talks to somebody else keeps us waiting. */
  readonly timeoutMs?: number;
}

/**
 * Connects to a QMP server and negotiates.
 *
 * @param address - A socket path, `unix:PATH` or `tcp:HOST:PORT`.
 * @throws SternaError `STERNA_ERR_HOST_IO` when there is no server.
 */
export async function connectQmp(address: string, options: ConnectOptions = {}): Promise<QmpClient> {
  const { timeoutMs = 5000 } = options;
  const tcp = /^tcp:(?:\[([^\]]+)\]|([^:]*)):(\d+)$/.exec(address);
  const socket =
    tcp === null
      ? connect({ path: address.replace(/^unix:/, '') })
      : connect({ host: tcp[1] ?? (tcp[2] || '127.0.0.1'), port: Number(tcp[3]) });
  const client = new QmpClient({ write: (text) => void socket.write(text), close: () => void socket.end() });
  socket.on('data', (chunk: Buffer) => client.receive(chunk));
  socket.on('error', (cause) => client.closed(failure(address, cause.message, cause)));
  socket.on('close', () => client.closed());
  const timer = setTimeout(() => {
    client.closed(failure(address, 'no answer; it may be talking to another client'));
    socket.destroy();
  }, timeoutMs);
  try {
    await client.negotiate();
  } finally {
    clearTimeout(timer);
  }
  return client;
}

function failure(address: string, reason: string, cause?: Error): SternaError {
  return new SternaError(
    'STERNA_ERR_HOST_IO',
    `QMP server at ${address}: ${reason}`,
    cause === undefined ? {} : { cause },
  );
}
