import { channelPair, parseStream, type StreamRecord } from '@sterna/migration';
import { describe, expect, it } from 'vitest';
import { GOLDEN, goldenMachine, goldenStream } from '../support/golden.ts';
import { LocalMachine } from '../support/local-machine.ts';
import { missing } from '../support/peers.ts';

const reason = missing({ shared: true });
/** Streams whose devices all exist here. */
const PLAIN = GOLDEN.filter((name) => !name.includes('virtio'));

async function load(target: LocalMachine, stream: Uint8Array): Promise<void> {
  const [near, far] = channelPair();
  await Promise.all([feed(near, stream), target.controller.migrateIncomingOverChannel(far)]);
}

async function feed(channel: ReturnType<typeof channelPair>[0], stream: Uint8Array): Promise<void> {
  for (let at = 0; at < stream.length; at += 65_536) await channel.write(stream.subarray(at, at + 65_536));
  await channel.close();
}

async function save(source: LocalMachine): Promise<Uint8Array> {
  const [near, far] = channelPair();
  const parts: Uint8Array[] = [];
  const reading = (async () => {
    for (let part = await far.read(); part !== undefined; part = await far.read()) parts.push(part.slice());
    await far.close();
  })();
  await source.controller.migrateOverChannel(near);
  await reading;
  return Buffer.concat(parts);
}

type Full = Extract<StreamRecord, { type: 'full' }>;
const fullSections = (stream: Uint8Array): Full[] =>
  parseStream(stream).filter((record): record is Full => record.type === 'full');

/** A wall clock reading at which the RTC shows the date it had when the stream was recorded. */
function wallClockOf(sections: readonly Full[]): bigint | undefined {
  const rtc = sections.find(({ idstr }) => idstr === 'mc146818rtc');
  if (rtc === undefined) return undefined;
  const bytes = Buffer.from(rtc.payload);
  // Layout: microvm reference C3; base_rtc, last_update and offset follow 128 + 1 + 28 + 16 + 24 + 8 bytes.
  const [base, lastUpdate, offset] = [
    bytes.readBigUInt64BE(205),
    bytes.readBigUInt64BE(213),
    bytes.readBigInt64BE(221),
  ];
  const bcd = (index: number): number => (bytes[index]! >> 4) * 10 + (bytes[index]! & 15);
  const date = BigInt(Date.UTC(bcd(0x32) * 100 + bcd(9), bcd(8) - 1, bcd(7), bcd(4), bcd(2), bcd(0)) / 1000);
  return lastUpdate - offset + (date - base) * 1_000_000_000n + 500_000_000n;
}

describe.skipIf(reason !== '')(`streams recorded from QEMU ${reason}`, () => {
  it.each(PLAIN)('%s: loaded and saved without running, every device section is identical', async (name) => {
    const stream = goldenStream(name);
    const expected = fullSections(stream);
    const wallNs = wallClockOf(expected);
    const target = new LocalMachine({
      ...goldenMachine(name),
      incoming: true,
      ...(wallNs === undefined ? {} : { wallNs }),
    });
    target.controller.autostart = false;
    await load(target, stream);
    const actual = fullSections(await save(target));
    const show = (sections: readonly Full[]) =>
      sections
        .filter(({ idstr }) => idstr !== 'globalstate')
        .map(
          ({ idstr, instance, version, payload }) =>
            `${idstr}/${instance} v${version} ${Buffer.from(payload).toString('hex')}`,
        );
    expect(show(actual)).toEqual(show(expected));
    await target.machine.dispose();
  });

  it.each(PLAIN.filter((name) => name.includes('-run')))('%s: runs on where QEMU stopped', async (name) => {
    const target = new LocalMachine({ ...goldenMachine(name), incoming: true });
    await load(target, goldenStream(name));
    // The recording was made of a stopped machine.
    target.machine.start();
    await expect.poll(() => [...target.serial.matchAll(/^OK /gm)].length, { timeout: 20_000 }).toBeGreaterThan(4);
    expect(target.serial).not.toMatch(/BAD/);
    const rounds = [...target.serial.matchAll(/OK r=([0-9a-f]{16})/g)].map(([, round]) => Number.parseInt(round!, 16));
    const steps = new Set(rounds.slice(1).map((round, i) => round - rounds[i]!));
    expect(steps.size).toBe(1);
    await target.machine.dispose();
  });
});
