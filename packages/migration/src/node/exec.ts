import { spawn } from 'node:child_process';
import { transportFailure } from '../errors.ts';
import type { MigrationChannel } from '../transport/channel.ts';
import { StreamChannel } from './stream-channel.ts';

/** A channel that reads what a command prints. */
export function execChannel(args: readonly string[]): MigrationChannel {
  const [command, ...rest] = args;
  const child = spawn(command!, rest, { stdio: ['ignore', 'pipe', 'inherit'] });
  const name = `exec:${args.at(-1)}`;
  child.once('error', (error) => child.stdout.destroy(error));
  return new StreamChannel({ name, readable: child.stdout, bidirectional: false, failure: transportFailure });
}
