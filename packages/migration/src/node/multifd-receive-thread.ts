/**
 * The thread behind an incoming multifd channel: it reads the connection and puts pages into the machine's memory, so that
 * several channels arrive on several processors, and none passes the machine's loop.
 */
import { parentPort } from 'node:worker_threads';
import { PacketInput } from '../multifd/packet-input.ts';
import type { PacketOwner, ReceivePlan } from '../multifd/packet-reader.ts';
import { unlessBroken } from '../multifd/packets.ts';
import { nodeCodecs } from './multifd-codecs.ts';
import type { ReceiveReport, ReceiveRequest, ReceiveSetup } from './multifd-messages.ts';
import { openInput, type ThreadInput } from './thread-input.ts';
import { retire, yieldToGuest } from './thread-manners.ts';

const port = parentPort!;
yieldToGuest();
const planned = Promise.withResolvers<ReceivePlan>();
let source: ThreadInput | undefined;
let goOn = () => {};

const report = (what: ReceiveReport, transfer: ArrayBuffer[] = []) => port.postMessage(what, transfer);
const answered = () =>
  new Promise<void>((resolve) => {
    goOn = resolve;
  });

const owner: PacketOwner = {
  synchronise(watched) {
    report({ was: 'reached', watched });
    return answered();
  },
  state(header, state) {
    report({ was: 'state', header, state }, [state.buffer as ArrayBuffer]);
    return answered();
  },
};

port.on('message', (request: ReceiveRequest) => {
  switch (request.do) {
    case 'open':
      open(request.setup);
      return;
    case 'start':
      planned.resolve(request.plan);
      return;
    case 'resume':
    case 'state-taken':
      goOn();
      return;
    case 'abort':
      source?.abort(new Error(request.reason));
      port.unref();
      return;
    case 'close':
      source?.close();
      retire(port);
      return;
  }
});

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Reads all of the channel. */
async function run(input: PacketInput, taken: Uint8Array): Promise<void> {
  let hello: Awaited<ReturnType<PacketInput['hello']>>;
  try {
    hello = await input.hello(taken).catch(unlessBroken);
    report({ was: 'hello', hello });
  } catch (error) {
    report({ was: 'hello', error: text(error) });
    throw error;
  }
  if (hello === undefined || !(await input.more())) return;
  const plan = await planned.promise;
  await input.run(plan, owner, nodeCodecs.decoder(plan.compression));
}

function open(setup: ReceiveSetup): void {
  const input = new PacketInput((window) => {
    source = openInput(setup, window);
    return source;
  });
  run(input, setup.taken).then(
    () => report({ was: 'ended' }),
    (error: unknown) => report({ was: 'ended', error: text(error) }),
  );
}
