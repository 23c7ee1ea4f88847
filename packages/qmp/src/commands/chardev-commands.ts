import { QmpError } from '../errors.ts';
import { t } from '../schema/types.ts';
import type { MonitorChardev, MonitorRing, MonitorTarget } from '../target.ts';
import { defineCommand, NOTHING, noArguments, nothing } from './define-command.ts';

const FORMAT = t.optional(t.enum(['utf8', 'base64']));
const CHARDEV_INFO = t.object({ label: t.str, filename: t.str, 'frontend-open': t.bool });

/** Kinds of character backends. */
const BACKENDS = ['file', 'mux', 'null', 'ringbuf', 'socket', 'stdio'] as const;

function chardevOf(target: MonitorTarget, device: string): MonitorChardev {
  const chardev = target.chardevs.find(({ label }) => label === device);
  if (chardev === undefined) throw new QmpError('GenericError', `Device '${device}' not found`);
  return chardev;
}

/** The ring of a `ringbuf` backend. @throws QmpError when it is none */
export function ringOf(target: MonitorTarget, device: string): MonitorRing {
  const { ring } = chardevOf(target, device);
  if (ring === undefined) throw new QmpError('GenericError', `${device} is not a ringbuf device`);
  return ring;
}

/** Commands about character backends. */
export const chardevCommands = {
  'query-chardev': defineCommand({
    help: 'The character backends',
    arguments: noArguments,
    returns: t.array(CHARDEV_INFO),
    run: ({ target }) =>
      target.chardevs.map(({ label, filename, frontendOpen }) => ({ label, filename, 'frontend-open': frontendOpen })),
  }),
  'query-chardev-backends': defineCommand({
    help: 'Kinds of character backends',
    arguments: noArguments,
    returns: t.array(t.object({ name: t.str })),
    run: () => BACKENDS.map((name) => ({ name })),
  }),
  'ringbuf-read': defineCommand({
    help: 'Takes up to `size` bytes out of a ringbuf backend',
    arguments: t.object({ device: t.str, size: t.int, format: FORMAT }),
    returns: t.str,
    run({ target }, { device, size, format }) {
      const ring = ringOf(target, device);
      if (size <= 0) throw new QmpError('GenericError', 'size must be greater than zero');
      const bytes = ring.read(size);
      return format === 'base64' ? toBase64(bytes) : new TextDecoder().decode(bytes);
    },
  }),
  'ringbuf-write': defineCommand({
    help: 'Puts bytes into a ringbuf backend',
    arguments: t.object({ device: t.str, data: t.str, format: FORMAT }),
    returns: nothing,
    run({ target }, { device, data, format }) {
      ringOf(target, device).write(format === 'base64' ? fromBase64(data) : new TextEncoder().encode(data));
      return NOTHING;
    },
  }),
};

function toBase64(bytes: Uint8Array): string {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

function fromBase64(text: string): Uint8Array {
  let binary: string;
  try {
    binary = atob(text);
  } catch {
    throw new QmpError('GenericError', 'Base64 data contains invalid characters');
  }
  return Uint8Array.from(binary, (char) => char.charCodeAt(0));
}
