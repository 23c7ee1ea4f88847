import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** A program of the host that a test compares with. */
export interface Peer {
  readonly missing: boolean;
  /** For the name of the suite: says why it is skipped. */
  readonly note: string;
}

/** Looks programs up. In CI an absent one is an error: there the peers are installed, and a skipped proof is none. */
export function peers(...programs: string[]): Peer {
  const absent = programs.filter((program) => !onPath(program));
  if (absent.length > 0 && process.env['CI'] !== undefined)
    throw new Error(`${absent.join(', ')} must be installed in CI (tools/peers/install.sh)`);
  return {
    missing: absent.length > 0,
    note: absent.length > 0 ? ` (skipped: no ${absent.join(', ')} on this system)` : '',
  };
}

function onPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
