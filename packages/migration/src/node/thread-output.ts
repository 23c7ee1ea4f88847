/** What a channel's thread writes to. Like all that the thread loads, this imports only types from other packages. */
import { spawn } from 'node:child_process';
import { closeSync, writeSync } from 'node:fs';
import net from 'node:net';
import type { ThreadSetup, ThreadTarget } from './channel-thread-messages.ts';
import { StreamChannel } from './stream-channel.ts';
import { secureClient, securedFailure } from './tls-client.ts';

/** The part of a migration channel that a thread carries. */
export interface ThreadOutput {
  readonly bidirectional: boolean;
  write(bytes: Uint8Array): Promise<void>;
  read(): Promise<Uint8Array | undefined>;
  end(): Promise<void>;
  abort(reason: Error): void;
  close(): Promise<void>;
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
      return new FileOutput(name, target);
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

/** A file, written at once: this thread has nothing better to do meanwhile. */
class FileOutput implements ThreadOutput {
  readonly bidirectional = false;
  readonly #name: string;
  readonly #fd: number;
  #position: number | undefined;
  #error: Error | undefined;
  #closed = false;

  constructor(name: string, { fd, position }: Extract<ThreadTarget, { kind: 'file' }>) {
    this.#name = name;
    this.#fd = fd;
    this.#position = position;
  }
  async write(bytes: Uint8Array): Promise<void> {
    if (this.#error !== undefined) throw this.#error;
    try {
      for (let done = 0; done < bytes.length; ) {
        const written = writeSync(this.#fd, bytes, done, bytes.length - done, this.#position ?? null);
        if (this.#position !== undefined) this.#position += written;
        done += written;
      }
    } catch (error) {
      this.#error = new Error(`${this.#name}: ${error instanceof Error ? error.message : error}`);
      throw this.#error;
    }
  }
  async read(): Promise<undefined> {
    throw new Error(`${this.#name} cannot be read`);
  }
  async end(): Promise<void> {
    if (this.#error !== undefined) throw this.#error;
  }
  abort(reason: Error): void {
    this.#error ??= reason;
    void this.close();
  }
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#fd);
  }
}
