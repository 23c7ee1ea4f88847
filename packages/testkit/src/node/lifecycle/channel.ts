import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { LifecycleProgram } from './machine.ts';

/** How a stream gets from one process to the next. */
export type LifecycleChannel = 'unix' | 'tcp' | 'exec' | 'file';

/** Both ends of a way that a stream takes. */
export interface ChannelUris {
  readonly source: string;
  readonly destination: string;
  /** The destination reads after the source has written everything. */
  readonly stored: boolean;
}

let ports = 0;

/** Addresses for one migration; files are in `directory`. */
export function channelUris(
  channel: LifecycleChannel,
  directory: string,
  source: LifecycleProgram,
  destination: LifecycleProgram,
): ChannelUris {
  const path = join(directory, 'stream');
  switch (channel) {
    case 'unix':
      return { source: `unix:${path}`, destination: `unix:${path}`, stored: false };
    case 'tcp': {
      const uri = `tcp:127.0.0.1:${20_000 + ((process.pid * 7 + ports++ * 13) % 12_000)}`;
      return { source: uri, destination: uri, stored: false };
    }
    case 'exec':
      spawnSync('mkfifo', [path]);
      return { source: `exec:cat > ${path}`, destination: `exec:cat ${path}`, stored: false };
    case 'file':
      return {
        source: source.hasFileUri === false ? `exec:cat > ${path}` : `file:${path}`,
        destination: destination.hasFileUri === false ? `exec:cat ${path}` : `file:${path}`,
        stored: true,
      };
  }
}
