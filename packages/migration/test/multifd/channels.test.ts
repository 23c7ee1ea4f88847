import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MigrationCounters } from '../../src/info.ts';
import { MultifdIncoming } from '../../src/multifd/incoming-channels.ts';
import { InlineInput } from '../../src/multifd/inline-input.ts';
import { greet, MultifdOutgoing, type MultifdSettings } from '../../src/multifd/outgoing.ts';
import { MultifdReceiver } from '../../src/multifd/receiver.ts';
import { RamArea } from '../../src/ram/blocks.ts';
import { RamLoader } from '../../src/ram/load.ts';
import { RamSaver } from '../../src/ram/save.ts';
import { StreamReader } from '../../src/stream/reader.ts';
import { StreamWriter } from '../../src/stream/writer.ts';
import type { MigrationChannel } from '../../src/transport/channel.ts';
import { channelPair } from '../../src/transport/pipe.ts';
import { FakeHost } from '../support/fake-host.ts';
import { BLOCKS } from '../support/pair.ts';
import { SimLoop } from '../support/sim-loop.ts';

const never = new AbortController().signal;

/** Two machines' RAM with channels between them, and nothing else. */
class Rig {
  readonly source = new FakeHost('running', BLOCKS);
  readonly destination = new FakeHost('inmigrate', BLOCKS);
  readonly counters = new MigrationCounters();
  readonly ram: RamSaver;
  readonly out: MultifdOutgoing;
  readonly others: readonly MigrationChannel[];
  readonly in: MultifdIncoming;
  readonly writer: StreamWriter;
  readonly pages;
  readonly loader: RamLoader;
  readonly reader: StreamReader;

  constructor(channels: number, settings: Partial<MultifdSettings> = {}) {
    const pairs = Array.from({ length: channels + 1 }, (_, i) => channelPair(`pipe${i}`));
    const [main, ...others] = pairs;
    const { pace } = new SimLoop();
    const all: MultifdSettings = {
      compression: 'none',
      level: 1,
      zeroPages: 'multifd',
      syncEachSection: false,
      ...settings,
    };
    this.others = others.map(([there]) => there);
    this.out = new MultifdOutgoing(main![0], this.others, all, { pace, counters: this.counters });
    this.in = new MultifdIncoming(
      main![1],
      others.map(([, back]) => new InlineInput(back)),
    );
    const area = new RamArea(this.source);
    this.ram = new RamSaver(this.source, area, this.counters);
    this.writer = new StreamWriter(this.out, area.stream);
    this.pages = this.out.pageSender(this.ram.plan);
    const there = new RamArea(this.destination);
    const receiver = new MultifdReceiver(this.destination, this.in.inputs, 'none', async () => {});
    this.loader = new RamLoader(this.destination, there, { multifd: receiver });
    this.reader = new StreamReader(this.in, there.stream);
  }

  async setup(): Promise<void> {
    await Promise.all(this.others.map((channel, id) => greet(channel, id, new Uint8Array(16))));
    this.ram.mark();
    this.ram.sync();
    this.ram.list(this.writer);
    await this.endSection('start');
  }
  async endSection(kind: 'start' | 'part' | 'end'): Promise<void> {
    await this.ram.endSection(this.pages, this.writer, kind);
    await this.writer.flushed();
  }
  async sendPart(bytes: number): Promise<void> {
    await this.ram.send(this.pages, this.writer, { bytes, ms: 50 });
    await this.endSection('part');
  }
  async complete(): Promise<void> {
    this.ram.sync();
    await this.ram.sendAll(this.pages, this.writer, never);
    await this.endSection('end');
  }
  /** Loads so many sections. */
  async load(sections: number): Promise<void> {
    for (let i = 0; i < sections; i++) await this.loader.load(this.reader);
  }
  checkSame(): void {
    for (const { name } of this.source.blocks) {
      const [a, b] = [this.source.block(name), this.destination.block(name)];
      const bytes = ({ u8 }: FakeHost, at: number) => Buffer.from(u8.slice(at, at + a.usedLength));
      expect(bytes(this.destination, b.hostOffset).equals(bytes(this.source, a.hostOffset)), name).toBe(true);
    }
  }
}

for (const zeroPages of ['none', 'legacy', 'multifd'] as const)
  for (const syncEachSection of [false, true])
    test(`RAM arrives whole: zero pages ${zeroPages}, ${syncEachSection ? 'synchronised in each section' : 'in each round'}`, async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.integer({ min: 1, max: 4 }),
          fc.array(
            fc.record({
              writes: fc.array(fc.tuple(fc.nat(4 * 256 - 1), fc.nat(3)), { maxLength: 40 }),
              bytes: fc.constantFrom(1, 10_000, 300_000, 2_000_000, Number.POSITIVE_INFINITY),
              sync: fc.boolean(),
            }),
            { maxLength: 6 },
          ),
          async (channels, steps) => {
            const rig = new Rig(channels, { zeroPages, syncEachSection });
            const { hostOffset } = rig.source.block('fake.ram');
            for (let page = 0; page < 400; page++)
              rig.source.guestWrite(hostOffset + page * 4096 + page, 1 + (page % 250));
            const loaded = rig.load(steps.length + 2);
            await rig.setup();
            for (const { writes, bytes, sync } of steps) {
              // Clearing a page is a write too.
              for (const [page, value] of writes) rig.source.guestWrite(hostOffset + page * 4096 + (page % 400), value);
              if (sync) rig.ram.sync();
              await rig.sendPart(bytes);
            }
            await rig.complete();
            await loaded;
            rig.checkSame();
            expect(rig.ram.remaining).toBe(0);
            expect(rig.counters.multifdBytes).toBeGreaterThan(0);
          },
        ),
        { numRuns: 8 },
      );
    });
