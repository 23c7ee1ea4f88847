import { QmpError } from '../errors.ts';
import { t } from '../schema/types.ts';
import { defineCommand } from './define-command.ts';

/** Element of `query-chardev`'s result. */
export interface ChardevInfo {
  readonly label: string;
  readonly filename: string;
  readonly 'frontend-open': boolean;
}

/** Commands about character backends. */
export const chardevCommands = {
  'query-chardev': defineCommand({
    help: 'The character backends',
    arguments: t.object({}),
    returns: t.typed<readonly ChardevInfo[]>('[ChardevInfo]'),
    run: ({ target }) =>
      target.chardevs.map(({ label, filename, frontendOpen }) => ({ label, filename, 'frontend-open': frontendOpen })),
  }),
  'ringbuf-read': defineCommand({
    help: 'Takes up to `size` bytes out of a ringbuf backend',
    arguments: t.object({ device: t.str, size: t.int, format: t.optional(t.enum(['utf8', 'base64'])) }),
    returns: t.str,
    run({ target }, { device, size, format }) {
      const chardev = target.chardevs.find(({ label }) => label === device);
      if (chardev === undefined) throw new QmpError('GenericError', `there is no character backend '${device}'`);
      if (chardev.read === undefined) throw new QmpError('GenericError', `character backend '${device}' is no ringbuf`);
      if (size <= 0) throw new QmpError('GenericError', "Parameter 'size' must be greater than zero");
      const bytes = chardev.read(size);
      return format === 'base64' ? toBase64(bytes) : new TextDecoder().decode(bytes);
    },
  }),
};

function toBase64(bytes: Uint8Array): string {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}
