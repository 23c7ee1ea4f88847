import { expect, test } from 'vitest';
import { ChannelCollector } from '../../src/multifd/incoming-channels.ts';
import { InlineInput } from '../../src/multifd/inline-input.ts';
import { encodeHello } from '../../src/multifd/packets.ts';
import type { IncomingConnection, MigrationChannel, MigrationListener } from '../../src/transport/channel.ts';
import { channelPair } from '../../src/transport/pipe.ts';

const uuid = new Uint8Array(16);
const [MAIN, MULTIFD] = [0x5145564d, 0x11223344];

/** A listener whose connections a test makes. */
class Listener implements MigrationListener {
  readonly uri = 'test';
  readonly dropped: string[] = [];
  readonly #waiting: IncomingConnection[] = [];
  #wake = () => {};

  /** Connects; the first word is known at once, or when the promise says. */
  connect(name: string, magic: number | undefined | Promise<number | undefined>): MigrationChannel {
    const [there, back] = channelPair(name);
    this.#waiting.push({
      magic: async () => magic,
      main: () => back,
      multifd: () => new InlineInput(back),
      drop: () => {
        this.dropped.push(name);
        back.abort(new Error('dropped'));
      },
    });
    this.#wake();
    return there;
  }
  async next(): Promise<IncomingConnection> {
    while (this.#waiting.length === 0)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    return this.#waiting.shift()!;
  }
  accept(): Promise<MigrationChannel> {
    throw new Error('not here');
  }
  async close(): Promise<void> {}
}

async function multifd(listener: Listener, name: string, id: number, of = uuid): Promise<MigrationChannel> {
  const channel = listener.connect(name, MULTIFD);
  await channel.write(encodeHello({ uuid: of, id }));
  return channel;
}

const collect = (listener: Listener, channels = 2) => new ChannelCollector({ channels, uuid }).collect(listener);

test('channels are told apart whatever order they are recognised in', async () => {
  const listener = new Listener();
  const late = Promise.withResolvers<number>();
  const collected = collect(listener);
  listener.connect('main', late.promise);
  await multifd(listener, 'one', 1);
  await multifd(listener, 'zero', 0);
  late.resolve(MAIN);
  const { name, inputs } = await collected;
  expect([name, ...inputs.map((input) => input.name)]).toEqual([
    'main:destination',
    'zero:destination',
    'one:destination',
  ]);
});

test('what an attempt that gave up has left is no part of the next one', async () => {
  const listener = new Listener();
  const collected = collect(listener);
  const old = listener.connect('old', MAIN);
  const gone = await multifd(listener, 'gone', 0);
  listener.connect('silent', new Promise(() => {}));
  listener.connect('ended', undefined);
  await gone.close();
  listener.connect('main', MAIN);
  await multifd(listener, 'a', 0);
  await multifd(listener, 'b', 1);
  const { name, inputs } = await collected;
  expect([name, ...inputs.map((input) => input.name)]).toEqual(['main:destination', 'a:destination', 'b:destination']);
  await expect(old.write(Uint8Array.of(1))).rejects.toThrow();
  expect(listener.dropped.sort()).toEqual(['ended', 'silent']);
});

test('a channel of another machine, or one too many, is refused with what to do', async () => {
  for (const [id, of, text] of [
    [0, uuid.slice().fill(7), /start both with the same -uuid/],
    [2, uuid, /multifd-channels is 2 here/],
  ] as const) {
    const listener = new Listener();
    const collected = collect(listener);
    const main = listener.connect('main', MAIN);
    await multifd(listener, 'stranger', id, of);
    await expect(collected).rejects.toThrow(text);
    await expect(main.write(Uint8Array.of(1))).rejects.toThrow();
  }
  const listener = new Listener();
  const collected = collect(listener);
  listener.connect('http', 0x47455420);
  await expect(collected).rejects.toThrow(/begins with 0x47455420/);
});

test('a channel that breaks takes the others with it, and says its name', async () => {
  const listener = new Listener();
  const collected = collect(listener, 1);
  listener.connect('main', MAIN);
  const channel = await multifd(listener, 'one', 0);
  const set = await collected;
  const reading = set.read();
  channel.abort(new Error('cut'));
  await expect(reading).rejects.toThrow(/one:destination/);
});
