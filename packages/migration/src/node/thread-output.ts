/** What a channel's thread writes to. Like all that the thread loads, this imports only types from other packages. */
import { spawn } from 'node:child_process';
import net from 'node:net';
import type { ThreadSetup } from './channel-thread-messages.ts';
import { StreamChannel } from './stream-channel.ts';
import { ThreadFile } from './thread-file.ts';
import { secureClient, securedFailure } from './tls-client.ts';

/** The part of a migration channel that a thread carries. */
export interface ThreadOutput {
  readonly bidirectional: boolean;
  write(bytes: Uint8Array): Promise<void>;
  read(): Promise<Uint8Array | undefined>;
  end(): Promise<void>;
  abort(reason: Error): void;
  close(): Promise<void>;
  /** What it is when it is a file; see {@link ThreadFile}. */
  readonly file?: ThreadFile;
}

/** Opens the target. @throws Error that says what could not be opened */
export function openOutput({ name, target, tls }: ThreadSetup): Promise<ThreadOutput> | ThreadOutput {
  switch (target.kind) {
    case 'unix':
      return connected(name, { path: target.path }, tls);
    case 'inet':
      return connected(name, { host: target.host || 'localhost', port: target.port }, tls);
    case 'stream':
      return socketOutput(name, new net.Socket({ fd: target.fd, allowHalfOpen: true }), tls);
    case 'file':
      return new ThreadFile(name, target);
    case 'exec':
      return execOutput(name, target.args);
  }
}

function connected(name: string, to: net.NetConnectOpts, tls: ThreadSetup['tls']): Promise<ThreadOutput> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ ...to, allowHalfOpen: true });
    const refused = (error: Error) => reject(new Error(`cannot connect to ${name}: ${error.message}`));
    socket.once('error', refused);
    socket.once('connect', () => {
      socket.removeListener('error', refused);
      resolve(socketOutput(name, socket, tls));
    });
  });
}

async function socketOutput(name: string, socket: net.Socket, tls: ThreadSetup['tls']): Promise<ThreadOutput> {
  socket.setNoDelay(true);
  if (tls === undefined) return new StreamChannel({ name, readable: socket, writable: socket });
  const secured = await secureClient(name, socket, tls);
  return new StreamChannel({ name, readable: secured, writable: secured, failure: securedFailure });
}

function execOutput(name: string, [command, ...args]: readonly string[]): ThreadOutput {
  const child = spawn(command!, args, { stdio: ['pipe', 'inherit', 'inherit'] });
  const exited = new Promise<void>((resolve, reject) => {
    child.once('error', (error) => reject(new Error(`${name}: ${error.message}`)));
    child.once('exit', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`${name} ended with ${signal ?? `status ${code}`}`));
    });
  });
  exited.catch(() => {});
  return new StreamChannel({ name, writable: child.stdin, bidirectional: false, finished: () => exited });
}
