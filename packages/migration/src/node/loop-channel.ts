import { SternaError } from '@sterna/core';
import { TlsError, TransportError } from '../errors.ts';
import type { MigrationChannel } from '../transport/channel.ts';
import type { ThreadSetup } from './channel-thread-messages.ts';
import { openOutput, type ThreadOutput } from './thread-output.ts';
import { TlsFailure } from './tls-client.ts';

/** An outgoing channel on the machine's loop, for what is too little to be worth a thread. */
export class LoopChannel implements MigrationChannel {
  readonly name: string;
  readonly #output: ThreadOutput;

  private constructor(name: string, output: ThreadOutput) {
    this.name = name;
    this.#output = output;
  }

  /** Opens the target, and secures it. @throws TransportError, TlsError, or the signal's reason */
  static async open(setup: ThreadSetup, signal: AbortSignal): Promise<LoopChannel> {
    signal.throwIfAborted();
    const opening = Promise.resolve(openOutput(setup));
    const { promise: given, reject } = Promise.withResolvers<never>();
    const giveUp = () => reject(signal.reason as Error);
    signal.addEventListener('abort', giveUp, { once: true });
    try {
      return new LoopChannel(setup.name, await Promise.race([opening, given]));
    } catch (error) {
      // Whatever opens in spite of it is of no use any more.
      opening.then((output) => output.abort(error as Error)).catch(() => {});
      throw signal.aborted ? signal.reason : named(error);
    } finally {
      signal.removeEventListener('abort', giveUp);
    }
  }

  get bidirectional(): boolean {
    return this.#output.bidirectional;
  }
  write(bytes: Uint8Array): Promise<void> {
    return this.#output.write(bytes).catch(rethrow);
  }
  read(): Promise<Uint8Array | undefined> {
    return this.#output.read().catch(rethrow);
  }
  end(): Promise<void> {
    return this.#output.end().catch(rethrow);
  }
  abort(reason: Error): void {
    this.#output.abort(reason);
  }
  close(): Promise<void> {
    return this.#output.close();
  }
}

function named(error: unknown): Error {
  if (error instanceof TlsFailure) return new TlsError(error.message, { cause: error });
  // A reason that the channel was aborted with is one of ours already.
  if (error instanceof SternaError) return error;
  return new TransportError(error instanceof Error ? error.message : String(error), { cause: error });
}

function rethrow(error: unknown): never {
  throw named(error);
}
