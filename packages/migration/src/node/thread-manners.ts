/** How the threads of a migration stand back behind the guest. */
import { readlinkSync } from 'node:fs';
import { setPriority } from 'node:os';
import type { MessagePort } from 'node:worker_threads';

/** Nice value of a migration's thread: about a tenth of the weight of others. */
const NICE = 10;

/**
 * Where processors are scarce the guest comes first: the calling thread takes less than an equal share. Linux knows
 * priorities of threads; a host that does not divides equally.
 */
export function yieldToGuest(): void {
  try {
    const thread = Number(readlinkSync('/proc/thread-self').split('/').at(-1));
    setPriority(thread, NICE);
  } catch {
    // It is a courtesy.
  }
}

/** Time after which a thread whose work is done ends. To end one takes some ms, which a guest that has just moved wants itself. */
const RETIRE_MS = 1000;

/** Lets the calling thread end, but not at once. */
export function retire(port: MessagePort): void {
  setTimeout(() => port.unref(), RETIRE_MS);
}
