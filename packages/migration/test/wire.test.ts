import { describe, expect, test } from 'vitest';
import { parseStream } from '../src/inspect/records.ts';
import { SECTION } from '../src/stream/constants.ts';
import { WIRE_GENERATIONS, WIRE_GLOBALS, type WireProperties, wireProperties } from '../src/wire.ts';
import { Pair } from './support/pair.ts';

/** Everything a source writes, as one array. */
async function written(wire: Partial<WireProperties>): Promise<Uint8Array> {
  const pair = new Pair({ wire });
  const parts: Uint8Array[] = [];
  const both = pair.start((channel) => ({
    name: channel.name,
    bidirectional: true,
    read: () => channel.read(),
    end: () => channel.end(),
    close: () => channel.close(),
    abort: (reason) => channel.abort(reason),
    write: (bytes) => {
      parts.push(bytes.slice());
      return channel.write(bytes);
    },
  }));
  await pair.loop.run(Promise.all([both.out, both.in]));
  return Buffer.concat(parts);
}

describe('wire generations', () => {
  test('differ where QEMU does', () => {
    expect(wireProperties('compat')).toMatchObject({ sendSwitchoverStart: false, virtioQueueMax1024: false });
    expect(wireProperties('qemu-7.2')).toMatchObject({
      sendSwitchoverStart: false,
      globalStateFlags: false,
      multifdFlushAfterEachSection: true,
      multifdCleanTlsTermination: false,
      preemptAtSetup: true,
      maxPackaged: 2 ** 24,
    });
    expect(wireProperties('qemu-10.0')).toMatchObject({ sendSwitchoverStart: true, pingPackagedLoaded: false });
    expect(wireProperties('qemu-11.1')).toMatchObject({
      raisedPriorities: true,
      pingPackagedLoaded: true,
      switchoverAckLegacy: false,
    });
  });

  test.each(Object.entries(WIRE_GLOBALS))('-global migration.%s changes %s and nothing else', (_, property) => {
    for (const generation of Object.keys(WIRE_GENERATIONS) as (keyof typeof WIRE_GENERATIONS)[]) {
      const before = wireProperties(generation);
      const after = wireProperties(generation, { [property]: !before[property] });
      expect({ ...after, [property]: before[property] }).toEqual(before);
    }
  });

  test('every generation is accepted by every destination', async () => {
    for (const wire of Object.values(WIRE_GENERATIONS)) {
      const bytes = await written(wire);
      const commands = parseStream(bytes).filter((record) => record.type === 'command');
      expect(commands.length > 0).toBe(wire.sendSwitchoverStart);
    }
  });

  test('what is switched off is not in the stream', async () => {
    const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('latin1');
    const whole = await written({});
    expect(whole[8]).toBe(SECTION.configuration);
    expect(text(whole)).toContain('globalstate');
    const bare = await written({ sendConfiguration: false, storeGlobalState: false, sendVmDescription: false });
    expect(bare[8]).not.toBe(SECTION.configuration);
    expect(text(bare)).not.toContain('globalstate');
  });
});
