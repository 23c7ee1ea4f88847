import type { Logger } from './services.ts';

/** Where a machine's messages go; the host decides (stderr, a file, a test). */
export type LogSink = (level: 'info' | 'warn' | 'guest-error', source: string, text: string) => void;

/** Guest errors of one device that are printed before only counting goes on. */
const GUEST_ERROR_LIMIT = 20;

/** A device's logger; a guest cannot flood the host through it. */
export class DeviceLogger implements Logger {
  readonly #source: string;
  readonly #sink: LogSink;
  /** Guest errors so far. */
  guestErrors = 0;

  constructor(source: string, sink: LogSink) {
    this.#source = source;
    this.#sink = sink;
  }

  info(text: string): void {
    this.#sink('info', this.#source, text);
  }

  warn(text: string): void {
    this.#sink('warn', this.#source, text);
  }

  guestError(text: string): void {
    this.guestErrors++;
    if (this.guestErrors <= GUEST_ERROR_LIMIT) this.#sink('guest-error', this.#source, text);
    if (this.guestErrors === GUEST_ERROR_LIMIT)
      this.#sink('guest-error', this.#source, 'further guest errors are counted only');
  }
}
