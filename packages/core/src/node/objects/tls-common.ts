import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { prop } from '../../device/properties.ts';

/** Properties of every kind of credentials. */
export const TLS_PROPERTIES = {
  dir: prop.optionalString({ help: 'directory of the files' }),
  endpoint: prop.enum(['client', 'server'], { help: 'the end of connections they are for', default: 'client' }),
  'verify-peer': prop.bool({ help: "whether the other side's certificate is checked", default: true }),
  priority: prop.optionalString({ help: 'limits versions of TLS, in the language of GnuTLS: NORMAL:-VERS-TLS1.3' }),
} as const;

/** Files of a credentials directory, under QEMU's names. */
export class CredentialFiles {
  readonly #directory: string;

  /** @throws RangeError when no directory was given */
  constructor(directory: string | undefined) {
    if (directory === undefined || directory === '')
      throw new RangeError("'dir' is missing: the directory of the files");
    this.#directory = directory;
  }

  path(name: string): string {
    return join(this.#directory, name);
  }

  /** The text of a file that must be there. @throws RangeError */
  required(name: string): string {
    try {
      return readFileSync(this.path(name), 'utf8');
    } catch (cause) {
      throw new RangeError(`cannot read the credentials ${this.path(name)}: ${(cause as Error).message}`, { cause });
    }
  }

  /** The text of a file, if it is there. @throws RangeError when it is there and cannot be read */
  optional(name: string): string | undefined {
    return existsSync(this.path(name)) ? this.required(name) : undefined;
  }
}
