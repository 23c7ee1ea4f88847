/**
 * The thread behind an outgoing channel: it opens the channel, writes what the machine's loop posts, and sends RAM's pages
 * straight from the shared memory, so that a stream as fast as the link takes nothing from the guest.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { PageShare } from '../multifd/page-share.ts';
import type { ThreadAnswer, ThreadRequest, ThreadSetup } from './channel-thread-messages.ts';
import { retire, yieldToGuest } from './thread-manners.ts';
import { openOutput, type ThreadOutput } from './thread-output.ts';
import { ThreadPages } from './thread-pages.ts';
import { threadShare } from './thread-share.ts';
import { TlsFailure } from './tls-client.ts';

const port = parentPort!;
yieldToGuest();
let output: ThreadOutput | undefined;
let pages: ThreadPages | undefined;
let share: PageShare | undefined;
/** The machine's, once a plan has brought it. */
let memory: ArrayBufferLike | undefined;
/** Set by an abort; an output that opens later is of no use any more. */
let aborted: Error | undefined;

async function open(): Promise<undefined> {
  const opened = await openOutput(workerData as ThreadSetup);
  if (aborted !== undefined) {
    opened.abort(aborted);
    throw aborted;
  }
  output = opened;
}

function abort(reason: Error): void {
  aborted = reason;
  pages?.abort(reason);
  share?.abort(reason);
  output?.abort(reason);
  port.unref();
}

/** Writes under way, one behind the other, and changes of place between them: none is attempted behind one that has failed. */
let written: Promise<void> = Promise.resolve();

function write(bytes: Uint8Array): Promise<undefined> {
  written = written.then(() => output!.write(bytes));
  return written.then(() => undefined);
}

async function perform(request: ThreadRequest): Promise<ThreadAnswer['value']> {
  switch (request.do) {
    case 'open':
      return open();
    case 'plan':
      memory = request.plan.memory.buffer;
      pages = new ThreadPages(output!, request.plan);
      return;
    case 'pages':
      await written;
      return pages!.send(request.budget);
    case 'share-plan':
      memory = request.plan.memory.buffer;
      share = threadShare(output!, request.plan);
      return;
    case 'share':
      return share!.share(request.budget);
    case 'sync':
      return share!.sync();
    case 'state':
      return share!.state(request.packet);
    case 'write':
      return write(request.bytes);
    case 'write-memory':
      return write(new Uint8Array(memory!, request.at, request.length));
    case 'seek':
      written = written.then(() => output!.file!.seek(request.offset));
      return;
    case 'read':
      return output!.read();
    case 'end':
      await written;
      await output!.end();
      return;
    case 'close':
      await output!.close();
      retire(port);
      return;
    case 'abort':
      abort(new Error(request.reason));
      return;
  }
}

port.on('message', (request: ThreadRequest) => {
  const { id } = request;
  perform(request).then(
    (value) => port.postMessage({ id, value } satisfies ThreadAnswer),
    (error: unknown) =>
      port.postMessage({
        id,
        error: error instanceof Error ? error.message : String(error),
        aboutTls: error instanceof TlsFailure,
      } satisfies ThreadAnswer),
  );
});
