import { deviceHook } from '../device-hook.ts';
import { StreamError } from '../errors.ts';
import type { StateSection } from '../host.ts';
import { type Pace, unlessAborted } from '../pace.ts';

/** How long a device may still be at work when nothing more can come for it, in ms. */
const GRACE_MS = 5000;

/** Devices that load beside the main stream, each at its own pace, from packets of any channel. */
export class LoadThreads {
  readonly #pace: Pace;
  readonly #ended = new AbortController();
  /** Ends the wait for devices that are still at work. */
  readonly #grace = new AbortController();
  readonly #threads = new Map<object, Promise<void>>();

  /** @param drained - Resolves when no channel brings packets any more; with what was wrong, if anything. */
  constructor(pace: Pace, drained: Promise<Error | undefined>) {
    this.#pace = pace;
    void drained.then(async (error) => {
      // What has come may still be worked on.
      if (error === undefined) await this.#pace.sleep(GRACE_MS, this.#grace.signal);
      this.abort(error ?? new StreamError('the channels have ended before the device had all of its state'));
    });
  }

  /** The switchover has begun. */
  start(sections: readonly StateSection[]): void {
    for (const section of sections) {
      const { live, state } = section;
      if (live?.loadThread === undefined || this.#threads.has(state)) continue;
      const thread = deviceHook(section, 'loadThread', () => live.loadThread!(state, this.#ended.signal));
      const ended = unlessAborted(thread, this.#ended.signal).catch((error: unknown) => {
        throw StreamError.at(error, { section: section.idstr, instance: section.instanceId });
      });
      ended.catch(() => {});
      this.#threads.set(state, ended);
    }
  }

  /** Waits for a device's own. @throws what it has failed with */
  async done(state: object): Promise<void> {
    await this.#threads.get(state);
  }

  /** Waits for all. @throws what one has failed with */
  async all(): Promise<void> {
    await Promise.all(this.#threads.values());
  }

  /** Ends those that are still at work. Nothing is waited for any more. */
  abort(reason: Error): void {
    this.#ended.abort(reason);
    this.#grace.abort();
  }
}
