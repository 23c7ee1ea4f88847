import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { sendDescriptors } from '../../packages/core/test/support/send-descriptors.ts';
import type { Vm } from './vm.ts';

/** Arguments of a machine that a {@link PassingClient} connects to. */
export const PASSING: readonly string[] = ['-qmp', 'unix:passing,server=on,wait=off'];

/** A conversation over a second QMP socket, on which descriptors can be passed. */
export class PassingClient {
  readonly #socket: Socket;
  readonly #answers: ((answer: { return?: unknown; error?: { desc: string } }) => void)[] = [];
  #text = '';

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      const lines = (this.#text + chunk.toString()).split('\r\n');
      this.#text = lines.pop()!;
      for (const line of lines) {
        const message = JSON.parse(line);
        if (message.QMP === undefined && message.event === undefined) this.#answers.shift()?.(message);
      }
    });
  }

  /** Connects to a machine that was started with {@link PASSING}. */
  static async connect(vm: Vm): Promise<PassingClient> {
    const path = join(vm.directory, 'passing');
    const socket = await new Promise<Socket>((resolve) => {
      const made: Socket = connect(path, () => resolve(made));
    });
    const client = new PassingClient(socket);
    await client.execute('qmp_capabilities');
    return client;
  }

  /** Runs a command with descriptors. @throws Error with the server's sentence */
  async execute(command: string, args: object = {}, fds: readonly number[] = []): Promise<unknown> {
    const answer = new Promise<{ return?: unknown; error?: { desc: string } }>((resolve) =>
      this.#answers.push(resolve),
    );
    sendDescriptors(this.#socket, JSON.stringify({ execute: command, arguments: args }), fds);
    const { return: result, error } = await answer;
    if (error !== undefined) throw new Error(error.desc);
    return result;
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** Two connected tcp sockets, paused before anything was read. */
export async function connectedPair(): Promise<readonly [Socket, Socket]> {
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const client = connect((server.address() as { port: number }).port, '127.0.0.1');
  client.pause();
  const pair = [await accepted, client] as const;
  server.close();
  return pair;
}

/** The descriptor of a socket. */
export const fdOf = (socket: Socket): number => (socket as unknown as { _handle: { fd: number } })._handle.fd;
