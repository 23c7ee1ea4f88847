import { spawn } from 'node:child_process';
import { TransportError } from '../errors.ts';
import type { MigrationChannel } from '../transport/channel.ts';
import { StreamChannel } from './stream-channel.ts';

/**
 * A channel to a command: its stdin is the outgoing stream, its stdout the incoming one. The end of an outgoing
 * stream waits for the command and takes a failing exit status as a failure of the channel.
 */
export function execChannel(args: readonly string[], direction: 'out' | 'in'): MigrationChannel {
  const [command, ...rest] = args;
  const name = `exec:${args.at(-1)}`;
  const child = spawn(command!, rest, {
    stdio: direction === 'out' ? ['pipe', 'inherit', 'inherit'] : ['ignore', 'pipe', 'inherit'],
  });
  const exited = new Promise<void>((resolve, reject) => {
    child.once('error', (error) => reject(new TransportError(`${name}: ${error.message}`, { cause: error })));
    child.once('exit', (code, signal) => {
      if (code === 0) resolve();
      else reject(new TransportError(`${name} ended with ${signal ?? `status ${code}`}`));
    });
  });
  exited.catch(() => {});
  if (direction === 'in') return new StreamChannel({ name, readable: child.stdout!, bidirectional: false });
  return new StreamChannel({ name, writable: child.stdin!, bidirectional: false, finished: () => exited });
}
