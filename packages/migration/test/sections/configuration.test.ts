import { describe, expect, test } from 'vitest';
import type { CapabilityName } from '../../src/capabilities.ts';
import { readConfiguration, writeConfiguration } from '../../src/sections/configuration.ts';
import { StreamReader } from '../../src/stream/reader.ts';
import { StreamWriter } from '../../src/stream/writer.ts';
import { channelPair } from '../../src/transport/pipe.ts';
import { FakeHost } from '../support/fake-host.ts';

function machine(uuid?: number, name = 'fake'): FakeHost {
  const host = new FakeHost('inmigrate', [], name);
  if (uuid !== undefined) host.uuid = new Uint8Array(16).fill(uuid);
  return host;
}
const having = (...names: CapabilityName[]) => ({ has: (name: CapabilityName) => names.includes(name) });

/** Writes with one machine and reads with another; answers the bytes and the description. */
async function pass(
  from: FakeHost,
  fromHas: ReturnType<typeof having>,
  to: FakeHost,
  toHas: ReturnType<typeof having>,
  tail: readonly number[] = [0],
) {
  const [out, back] = channelPair();
  const writer = new StreamWriter(out);
  const description = writeConfiguration(writer, from, fromHas);
  writer.bytes(Uint8Array.from(tail));
  writer.flush();
  await out.end();
  const reader = new StreamReader(back);
  await reader.ensure(1);
  reader.skip(1);
  await readConfiguration(reader, to, toHas);
  return { description, rest: reader.peekU8() };
}

describe('the configuration section', () => {
  test('has the machine, and only that by default', async () => {
    const { description, rest } = await pass(machine(1), having(), machine(2), having());
    expect(description).toEqual({
      vmsd_name: 'configuration',
      version: 1,
      fields: [
        { name: 'len', type: 'uint32', size: 4 },
        { name: 'name', type: 'buffer', size: 4 },
      ],
    });
    expect(rest).toBe(0);
  });

  test('another machine is refused, and the next step named', async () => {
    await expect(pass(machine(), having(), machine(undefined, 'other'), having())).rejects.toThrow(
      /section 'configuration', field name, stream offset 5: .*'fake', this one is 'other'; start it with -machine fake/,
    );
  });

  test('a UUID is sent with validate-uuid when there is one, and insisted on by whoever has one', async () => {
    const validate = having('validate-uuid');
    expect((await pass(machine(7), validate, machine(7), having())).description.subsections).toHaveLength(1);
    await expect(pass(machine(7), validate, machine(8), having())).rejects.toThrow(
      /UUID 07070707-0707-0707-0707-070707070707, this machine 08080808-.*start it with -uuid 07070707/,
    );
    const without = machine();
    await pass(machine(7), validate, without, validate);
    expect(without.reports).toEqual([expect.stringContaining('this machine has none')]);
    // A source without one sends none, and nobody misses it.
    expect((await pass(machine(), validate, machine(8), validate)).description.subsections).toBeUndefined();
  });

  test('capabilities that change the stream must be equal on both sides', async () => {
    const both = having('mapped-ram', 'x-ignore-shared');
    const { description } = await pass(machine(), both, machine(), both);
    expect(description.subsections).toEqual([
      {
        vmsd_name: 'configuration/capabilities',
        version: 1,
        fields: [
          { name: 'caps_count', type: 'uint32', size: 4 },
          { name: 'capabilities', array_len: 2, type: 'capability', size: 16 },
        ],
      },
    ]);
    await expect(pass(machine(), both, machine(), having('mapped-ram'))).rejects.toThrow(
      "capability 'x-ignore-shared' is on at the source and off here; set it on both sides or on neither",
    );
    await expect(pass(machine(), having(), machine(), having('mapped-ram'))).rejects.toThrow(
      "capability 'mapped-ram' is off at the source and on here",
    );
    // Others are each side's own business.
    await pass(machine(), having('events', 'return-path'), machine(), having());
  });

  const subsection = (name: string, ...body: number[]) => [
    5,
    name.length,
    ...Buffer.from(name),
    ...[0, 0, 0, 1],
    ...body,
    0,
  ];
  test.each([
    ['pages of another size', subsection('configuration/target-page-bits', 0, 0, 0, 14), /14 target page bits, this/],
    ['a subsection of the future', subsection('configuration/new'), /'configuration\/new' is not known/],
    ['a capability of the future', subsection('configuration/capabilities', 0, 0, 0, 1, 1, 0x78), /'x' is on at/],
    ['too many capabilities', subsection('configuration/capabilities', 0, 0, 1, 0), /256 capabilities/],
  ])('%s: refused', async (_, tail, text) => {
    await expect(pass(machine(), having(), machine(), having(), tail)).rejects.toThrow(text);
  });
  test('pages of the same size are taken', async () => {
    await pass(machine(), having(), machine(), having(), subsection('configuration/target-page-bits', 0, 0, 0, 12));
  });
  test('a name of any length is not', async () => {
    const [out, back] = channelPair();
    await out.write(Uint8Array.of(0, 0, 1, 0));
    await expect(readConfiguration(new StreamReader(back), machine(), having())).rejects.toThrow('name of 256 bytes');
  });
});
