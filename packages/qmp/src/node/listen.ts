import { createServer, type Server } from 'node:net';
import { listenSocket, SocketBackend } from '@sterna/core/node';
import { QmpSession } from '../session.ts';
import type { MonitorTarget } from '../target.ts';

/** A QMP socket that serves any number of clients at once. */
export interface QmpListener {
  readonly path: string;
  /** Ends all conversations and removes the socket. */
  close(): Promise<void>;
}

/**
 * Serves QMP on a unix socket that only this user can reach.
 *
 * @throws SternaError `STERNA_ERR_CHARDEV` when the socket cannot be made.
 */
export async function listenQmp(path: string, target: MonitorTarget): Promise<QmpListener> {
  const backends = new Set<SocketBackend>();
  const server: Server = createServer({ pauseOnConnect: true }, (socket) => {
    const backend = SocketBackend.adopt('qmp', socket);
    backends.add(backend);
    const session = new QmpSession(backend, target);
    socket.once('close', () => {
      session[Symbol.dispose]();
      backends.delete(backend);
    });
  });
  // The socket must never exist with wider rights, not even for a moment.
  const umask = process.umask(0o177);
  // Node binds before `listenSocket` returns; only the word that it listens comes later.
  const listening = listenSocket(server, { kind: 'unix', path, server: true, wait: false, reconnectMs: 0 });
  process.umask(umask);
  await listening;
  return {
    path,
    async close() {
      const ended = new Promise<void>((resolve) => server.close(() => resolve()));
      await Promise.all([...backends].map((backend) => backend.close()));
      await ended;
    },
  };
}
