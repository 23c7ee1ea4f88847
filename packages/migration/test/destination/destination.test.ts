import type { LiveHandlers } from '@sterna/core';
import { describe, expect, test } from 'vitest';
import { MigrationController } from '../../src/controller.ts';
import { COMMAND, SECTION } from '../../src/stream/constants.ts';
import { StreamWriter } from '../../src/stream/writer.ts';
import { channelPair } from '../../src/transport/pipe.ts';
import type { WireProperties } from '../../src/wire.ts';
import { FakeHost } from '../support/fake-host.ts';
import { BLOCKS, Pair } from '../support/pair.ts';
import { onBoth, settle } from '../support/settle.ts';
import { SimLoop } from '../support/sim-loop.ts';

const none = {
  connect: async () => Promise.reject(new Error('nowhere')),
  listen: async () => Promise.reject(new Error('the port is taken')),
};

/** A destination alone, to which a test writes. */
function listening(wire: Partial<WireProperties> = {}) {
  const loop = new SimLoop();
  const host = new FakeHost('inmigrate', BLOCKS);
  const controller = new MigrationController(host, { transport: none, pace: loop.pace, wireOverrides: wire });
  const [source, destination] = channelPair();
  const writer = new StreamWriter(source);
  const arrived = controller.migrateIncomingOverChannel(destination);
  arrived.catch(() => {});
  return { loop, host, controller, source, writer, arrived };
}

function header(writer: StreamWriter): void {
  writer.u32(0x5145564d);
  writer.u32(3);
  writer.u8(SECTION.configuration);
  writer.u32(4);
  writer.bytes(Buffer.from('fake'));
}

function command(writer: StreamWriter, number: number, payload: readonly number[] = []): void {
  writer.u8(SECTION.command);
  writer.u16(number);
  writer.u16(payload.length);
  writer.bytes(Uint8Array.from(payload));
}

const quiet: LiveHandlers<object> = { version: 1, saveComplete: () => {}, loadState: () => {} };

describe('taking a guest over', () => {
  test('of one that ran, and of one that never did', async () => {
    for (const [from, to] of [
      ['running', 'running'],
      ['prelaunch', 'prelaunch'],
      ['paused', 'paused'],
      ['shutdown', 'shutdown'],
      ['postmigrate', 'postmigrate'],
    ] as const) {
      const pair = new Pair();
      pair.source.runState = from;
      if (from === 'postmigrate') {
        expect(() => pair.out.checkMigrate()).toThrow('moved away');
        continue;
      }
      await pair.migrate();
      expect(pair.destination.runState).toBe(to);
    }
  });

  test('of one that sleeps: it sleeps on, also when it is stopped first', async () => {
    const asleep = new Pair();
    asleep.source.runState = 'suspended';
    await asleep.migrate();
    expect([asleep.destination.runState, asleep.destination.wasSuspended]).toEqual(['suspended', false]);
    const stopped = new Pair();
    stopped.source.runState = 'suspended';
    await stopped.source.stop('paused');
    await stopped.migrate();
    expect([stopped.destination.runState, stopped.destination.wasSuspended]).toEqual(['paused', true]);
    await stopped.in.cont();
    expect(stopped.destination.runState).toBe('suspended');
  });

  test('`stop` and `cont` while it waits decide whether it runs', async () => {
    const pair = new Pair();
    await pair.in.stop();
    await pair.migrate();
    expect(pair.destination.runState).toBe('paused');
    const other = new Pair();
    other.in.autostart = false;
    await other.in.cont();
    await other.migrate();
    expect(other.destination.runState).toBe('running');
    await other.in.cont();
    await other.in.stop();
    expect(other.destination.runState).toBe('paused');
  });

  test('`stop` while its disks are being taken over holds it, with the disks', async () => {
    const pair = new Pair();
    pair.source.disks = [{ name: 'disk', active: true }];
    pair.destination.disks = [{ name: 'disk', active: false }];
    pair.destination.faults = { activate: () => pair.in.stop() };
    await pair.migrate();
    expect([pair.destination.runState, pair.destination.disksActive]).toEqual(['paused', true]);
    await pair.in.cont();
    expect(pair.destination.runState).toBe('running');
  });

  test('disks are taken when the guest starts: a paused machine can move twice without having had them', async () => {
    const loop = new SimLoop();
    const [first, second] = [new Pair({ loop }), new Pair({ loop })];
    first.source.disks = [{ name: 'disk', active: true }];
    first.source.runState = 'paused';
    first.destination.disks = [{ name: 'disk', active: false }];
    second.destination.disks = [{ name: 'disk', active: false }];
    await first.migrate();
    expect([first.destination.runState, first.destination.disksActive]).toEqual(['paused', false]);
    // On from the machine in the middle.
    const results = [
      second.in.migrateIncomingOverChannel(second.channels[1]),
      first.in.migrateOverChannel(second.channels[0]),
    ];
    await loop.run(Promise.all(results));
    expect([first.source, first.destination, second.destination].map(({ disksActive }) => disksActive)).toEqual([
      false,
      false,
      false,
    ]);
    await second.in.cont();
    expect([second.destination.runState, second.destination.disksActive]).toEqual(['running', true]);
  });

  test('with a disk that cannot be taken the guest stays stopped until `cont` gets it', async () => {
    const pair = new Pair();
    pair.destination.disks = [{ name: 'disk', active: false }];
    pair.destination.faults = { activate: async () => Promise.reject(new Error('locked')) };
    await pair.migrate();
    expect(pair.in.query().status).toBe('completed');
    expect(pair.destination.runState).toBe('paused');
    expect(pair.destination.reports).toEqual(['the guest has arrived and stays stopped: locked']);
    pair.destination.faults = {};
    await pair.in.cont();
    expect(pair.destination.runState).toBe('running');
  });

  test('from a source that does not say how it was: it ran', async () => {
    const pair = new Pair({ wire: { storeGlobalState: false } });
    pair.source.runState = 'paused';
    await pair.migrate();
    expect(pair.destination.runState).toBe('running');
  });
});

describe('framing that was switched off', () => {
  test('is not missed when both sides have it off', async () => {
    const off = { sendConfiguration: false, sendSectionFooter: false, sendVmDescription: false };
    const pair = new Pair({ wire: off });
    pair.source.counter.ticks = 7;
    await pair.migrate();
    expect(pair.destination.counter.ticks).toBe(7);
  });
  test('a destination that insists says which option it is', async () => {
    const { arrived, writer } = listening();
    writer.u32(0x5145564d);
    writer.u32(3);
    writer.u8(SECTION.eof);
    writer.flush();
    await expect(arrived).rejects.toThrow('-global migration.send-configuration=off');
  });
});

describe('a failed load', () => {
  test('names the device whose hook has failed', async () => {
    const pair = new Pair();
    const fails = (hook: 'loadSetup' | 'switchoverStart') => ({
      ...quiet,
      [hook]: () => {
        throw new RangeError('no room');
      },
    });
    const section = (live: LiveHandlers<object>) => ({
      idstr: 'probe',
      instanceId: 2,
      vmstate: 'stateless' as const,
      state: {},
      live,
    });
    pair.source.extra = [section(quiet)];
    pair.destination.extra = [section(fails('loadSetup'))];
    const { in: error } = await settle(pair);
    expect(error).toMatchObject({
      code: 'STERNA_ERR_DEVICE_STATE',
      message: "section 'probe' instance 2, loadSetup: no room",
    });
    const late = new Pair({ wire: { sendSwitchoverStart: true } });
    late.source.extra = [section(quiet)];
    late.destination.extra = [section(fails('switchoverStart'))];
    expect((await settle(late)).in?.message).toBe("section 'probe' instance 2, switchoverStart: no room");
  });

  test('leaves a machine that waits on and is reset before the next attempt', async () => {
    const pair = new Pair();
    let resets = 0;
    pair.destination.faults = { reset: () => void resets++ };
    Object.assign(pair.source, { machineName: 'other' });
    await settle(pair);
    expect(pair.destination.runState).toBe('inmigrate');
    expect(pair.in.query()).toMatchObject({ status: 'failed', 'error-desc': expect.stringContaining("'other'") });
    expect(resets).toBe(0);
    const second = new Pair({ loop: pair.loop });
    const both = [
      pair.in.migrateIncomingOverChannel(second.channels[1]),
      second.out.migrateOverChannel(second.channels[0]),
    ];
    await pair.loop.run(Promise.all(both));
    expect([resets, pair.destination.runState, pair.in.query().status]).toEqual([1, 'running', 'completed']);
    expect(pair.destination.statuses).toEqual(['setup', 'active', 'failed', 'setup', 'active', 'completed']);
  });

  test('a place where nobody can listen is one too', async () => {
    const { controller } = listening();
    const pair = new Pair();
    await expect(pair.in.migrateIncoming('tcp:nowhere:1')).rejects.toThrow('no transport');
    expect(pair.destination.statuses).toEqual(['setup', 'failed']);
    await expect(controller.migrateIncoming('tcp:nowhere:1')).rejects.toThrow('has been started already');
    await expect(pair.out.migrateIncoming('tcp:nowhere:1')).rejects.toThrow("not started with '-incoming'");
  });
});

describe('behind the end mark', () => {
  test('a description that breaks off does not cost the guest', async () => {
    const pair = new Pair();
    const both = pair.start((channel) => ({
      name: 'cut',
      bidirectional: false,
      read: () => channel.read(),
      end: () => channel.end(),
      close: () => channel.close(),
      abort: (reason) => channel.abort(reason),
      // The last write has the end mark in front of the description.
      write: (bytes) => channel.write(bytes[0] === SECTION.eof ? bytes.subarray(0, 60) : bytes),
    }));
    expect(await settle(pair, both)).toEqual({ out: undefined, in: undefined });
    expect(pair.destination.runState).toBe('running');
    expect(pair.destination.reports).toEqual([expect.stringContaining('the description behind it is broken')]);
  });
});

describe('a stream that is none', () => {
  const numbers = (writer: StreamWriter, ...values: number[]) => {
    for (const value of values) writer.u32(value);
  };
  test.each<[string, (writer: StreamWriter) => void, string]>([
    ['of something else', (writer) => numbers(writer, 0x7f454c46, 3), 'it begins with 0x7f454c46, not 0x5145564d'],
    ['of an old version', (writer) => numbers(writer, 0x5145564d, 2), 'stream version 2, known is 3'],
    [
      'without RAM',
      (writer) => {
        header(writer);
        writer.u8(SECTION.eof);
      },
      'the stream ends without RAM',
    ],
    [
      'with a section of no kind',
      (writer) => {
        header(writer);
        writer.u8(0x55);
      },
      'unknown section type 85',
    ],
    [
      'with a part of nothing',
      (writer) => {
        header(writer);
        writer.u8(SECTION.part);
        writer.u32(77);
      },
      'section 77 was never begun',
    ],
  ])('%s is refused', async (_, write, text) => {
    const { arrived, writer, source } = listening();
    write(writer);
    writer.flush();
    await source.end();
    await expect(arrived).rejects.toThrow(text);
  });
});

describe('commands', () => {
  test.each([
    ['postcopyAdvise', 16],
    ['postcopyListen', 0],
    ['postcopyRun', 0],
    ['postcopyRamDiscard', 3],
    ['packaged', 4],
    ['enableColo', 0],
    ['postcopyResume', 0],
    ['recvBitmap', 2],
  ] as const)('%s is refused by name', async (name, length) => {
    const { arrived, writer } = listening();
    header(writer);
    command(writer, COMMAND[name], new Array(length).fill(0));
    writer.flush();
    await expect(arrived).rejects.toMatchObject({
      code: 'STERNA_ERR_STREAM',
      message: expect.stringContaining(`the source uses ${name}`),
    });
  });

  test.each([
    ['an unknown one', 12, [], 'command 12 of 0 bytes is not known'],
    ['one of a wrong length', COMMAND.ping, [1, 2], 'command ping has 2 bytes instead of 4'],
  ])('%s is refused', async (_, number, payload, text) => {
    const { arrived, writer } = listening();
    header(writer);
    command(writer, number, payload);
    writer.flush();
    await expect(arrived).rejects.toThrow(text);
  });

  test('a return path answers, and is opened once', async () => {
    const { arrived, writer, source } = listening();
    header(writer);
    command(writer, COMMAND.ping, [0, 0, 0, 1]);
    command(writer, COMMAND.openReturnPath);
    command(writer, COMMAND.ping, [0, 0, 0, 2]);
    command(writer, COMMAND.openReturnPath);
    writer.flush();
    await expect(arrived).rejects.toThrow('opened twice');
    expect(await source.read()).toEqual(Uint8Array.of(0, 2, 0, 4, 0, 0, 0, 2));
    expect(await source.read()).toEqual(Uint8Array.of(0, 1, 0, 4, 0, 0, 0, 1));
  });

  test('with switchover-ack and no device that needs it the approval comes at once', async () => {
    const pair = new Pair();
    onBoth(pair, 'return-path', 'switchover-ack');
    await pair.migrate();
    expect(pair.destination.runState).toBe('running');
  });

  test('a device that is not asked needs not approve', async () => {
    const pair = new Pair();
    onBoth(pair, 'return-path');
    const live: LiveHandlers<object> = {
      ...quiet,
      switchoverAckNeeded: () => true,
      loadState: (_, __, { approveSwitchover }) => approveSwitchover(),
    };
    const section = { idstr: 'probe', instanceId: 0, vmstate: 'stateless' as const, state: {}, live };
    pair.source.extra = [section];
    pair.destination.extra = [section];
    await pair.migrate();
    expect(pair.destination.runState).toBe('running');
  });
});
