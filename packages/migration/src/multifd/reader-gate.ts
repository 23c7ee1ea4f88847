import type { Reached } from './incoming.ts';

/** Where a channel waits at a synchronisation until the main one has come to it, or the other way round. */
export class ReaderGate {
  #arrived: PromiseWithResolvers<Reached> = patient();
  #resumed: PromiseWithResolvers<void> = patient();
  #ended: Error | undefined;

  /** The channel has come to its mark. Resolves when it may go on. */
  arrive(reached: Reached): Promise<void> {
    this.#resumed = patient();
    if (this.#ended !== undefined) this.#resumed.reject(this.#ended);
    this.#arrived.resolve(reached);
    return this.#resumed.promise;
  }

  /** Resolves when the channel has come to its mark. @throws the reason when it never will */
  reached(): Promise<Reached> {
    return this.#arrived.promise;
  }

  /** Lets the channel go on. */
  resume(): void {
    this.#arrived = patient();
    if (this.#ended !== undefined) this.#arrived.reject(this.#ended);
    this.#resumed.resolve();
  }

  /** Nobody comes any more, and nobody goes on. */
  end(reason: Error): void {
    this.#ended ??= reason;
    this.#arrived.reject(this.#ended);
    this.#resumed.reject(this.#ended);
  }
}

/** A promise that may be rejected while nobody waits for it. */
function patient<T>(): PromiseWithResolvers<T> {
  const made = Promise.withResolvers<T>();
  made.promise.catch(() => {});
  return made;
}
