import type { CharBackend } from '../../chardev/char-backend.ts';
import type { ChardevSpec } from '../../chardev/chardev-spec.ts';
import { NullBackend } from '../../chardev/null-backend.ts';
import { RingbufBackend } from '../../chardev/ringbuf-backend.ts';
import { FileBackend } from './file-backend.ts';
import { SocketBackend } from './socket-backend.ts';
import { StdioBackend } from './stdio-backend.ts';

/**
 * Makes a character backend on this host.
 *
 * @param onWait - Told the address at which a server with `wait=on` now waits for its first client.
 * @throws SternaError `STERNA_ERR_CHARDEV` with the host's reason.
 */
export async function openChardev(
  id: string,
  spec: ChardevSpec,
  onWait?: (where: string) => void,
): Promise<CharBackend> {
  switch (spec.kind) {
    case 'null':
      return new NullBackend(id);
    case 'ringbuf':
      return new RingbufBackend(id, spec.size);
    case 'stdio':
      return new StdioBackend(id, spec);
    case 'file':
      return new FileBackend(id, spec);
    case 'unix':
    case 'tcp':
    case 'fd':
      return SocketBackend.open(id, spec, onWait);
  }
}
