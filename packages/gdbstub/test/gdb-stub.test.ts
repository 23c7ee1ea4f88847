import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodePacket, MAX_PACKET } from '../src/packet.ts';
import { FakeGdb, FakeTarget, packetsOf } from './fake-target.ts';

const gdb = (target?: FakeTarget): FakeGdb => new FakeGdb(target).connect();
const hex = (text: string): string => Buffer.from(text).toString('hex');

describe('a connection', () => {
  test('stops the machine, and its end lets it run on', () => {
    const g = gdb();
    expect(g.target.runState).toBe('paused');
    g.ask('Z0,10,1');
    g.disconnect();
    expect(g.target.runState).toBe('running');
    expect(g.target.breakpoints.size).toBe(0);
  });

  test('leaves a machine alone that others had stopped', () => {
    const target = new FakeTarget();
    target.runState = 'prelaunch';
    const g = gdb(target);
    g.disconnect();
    expect(target.runState).toBe('prelaunch');
    g.connect().ask('c');
    target.stopWith({ state: 'shutdown' });
    g.disconnect();
    expect(target.runState).toBe('shutdown');
  });

  test('detach starts even a machine that has not run yet', () => {
    const target = new FakeTarget();
    target.runState = 'prelaunch';
    expect(gdb(target).ask('D')).toEqual(['OK']);
    expect(target.runState).toBe('running');
  });

  test('acknowledges, asks again for what is damaged, and repeats what gdb did not get', () => {
    const g = gdb();
    expect(g.send('$qC#b4')).toBe('+$QC1#c5');
    expect(g.send('-')).toBe('$QC1#c5');
    expect(g.send('+-')).toBe('');
    expect(g.send('$qC#00')).toBe('-');
  });

  test('without acknowledgements, a damaged packet is an error', () => {
    const g = gdb();
    expect(g.send(encodePacket(Buffer.from('QStartNoAckMode')))).toBe('+$OK#9a');
    expect(g.send('+$qC#b4')).toBe('$QC1#c5');
    expect(packetsOf(g.send('$qC#00'))).toEqual(['E22']);
    expect(g.send('-')).toBe('');
    // the next connection begins with acknowledgements again
    g.disconnect();
    g.connect();
    expect(g.send('$qC#b4')).toBe('+$QC1#c5');
  });

  test('writes on when there is room again', () => {
    const g = gdb();
    g.room = 3;
    expect(g.send('$qC#b4')).toBe('+$QC');
    g.drain();
    expect(g.raw).toBe('+$QC1#c5');
  });

  test('killing is for the process', () => {
    const g = gdb();
    expect([g.ask('k'), g.ask('vKill;1'), g.killed]).toEqual([[], ['OK'], 2]);
  });

  test('tells of the end of the machine when gdb waits', () => {
    const g = gdb();
    g.stub.exited(1);
    expect(g.raw).toBe('');
    g.ask('c');
    g.stub.exited(3);
    expect(packetsOf(g.raw).at(-1)).toBe('W03');
  });
});

describe('run control', () => {
  test('continues, and tells why the machine stopped', () => {
    const g = gdb();
    expect(g.ask('?')).toEqual(['T05thread:1;']);
    expect(g.ask('c')).toEqual([]);
    expect(g.target.resumed).toEqual([
      [
        [0, 'continue'],
        [1, 'continue'],
      ],
    ]);
    const before = g.raw.length;
    g.target.stopWith({ state: 'debug', cpu: g.target.cpus[1]!, stop: { kind: 'step' } });
    expect(packetsOf(g.raw.slice(before))).toEqual(['T05thread:2;']);
    expect(g.ask('qC')).toEqual(['QC2']);
  });

  test.each([
    ['shutdown', 'T03'],
    ['io-error', 'T17'],
    ['internal-error', 'T06'],
    ['guest-panicked', 'T8f'],
  ] as const)('state %s is a signal', (state, expected) => {
    const g = gdb();
    g.ask('c');
    g.target.stopWith({ state });
    expect(packetsOf(g.raw).at(-1)).toBe(`${expected}thread:1;`);
  });

  test('Ctrl-C stops', () => {
    const g = gdb();
    g.ask('vCont;c');
    expect(packetsOf(g.send('\x03'))).toEqual(['T02thread:1;']);
    expect(g.send('\x03')).toBe('');
    expect(g.target.runState).toBe('paused');
  });

  test('a packet while the machine runs stops it first', () => {
    const g = gdb();
    g.ask('c');
    expect(g.ask('qC')).toEqual(['T02thread:1;', 'QC1']);
  });

  test('a stop that gdb did not wait for is not told', () => {
    const g = gdb();
    g.target.runState = 'running';
    g.target.stopWith({ state: 'paused' });
    expect(g.raw).toBe('');
  });

  test.each([
    ['vCont;s:1', [[0, 'step']]],
    [
      'vCont;s:2;c',
      [
        [0, 'continue'],
        [1, 'step'],
      ],
    ],
    ['vCont;C05:1', [[0, 'continue']]],
    [
      's',
      [
        [0, 'step'],
        [1, 'continue'],
      ],
    ],
  ] as const)('%s', (packet, actions) => {
    const g = gdb();
    expect(g.ask(packet)).toEqual([]);
    expect(g.target.resumed).toEqual([actions]);
  });

  test.each(['vCont', 'vCont;', 'vCont;x', 'vCont;s:3', 'vCont;c:', 'vCont;C:1', 'czz', 'C5'])(
    '%s is refused',
    (packet) => {
      const g = gdb();
      expect(g.ask(packet)).toEqual(['E22']);
      expect(g.target.resumed).toEqual([]);
    },
  );

  test('from another address', () => {
    const g = gdb();
    g.ask('c1234');
    g.send('\x03');
    expect(g.ask('p1')).toEqual(['3412']);
  });

  test('a machine that cannot run now says so', () => {
    const target = new FakeTarget();
    target.runState = 'postmigrate';
    const [output, reply] = gdb(target).ask('c');
    expect(Buffer.from(output!.slice(1), 'hex').toString()).toBe('cannot run now\n');
    expect(reply).toBe('E01');
  });

  test("QEMU's flags of single steps", () => {
    const g = gdb();
    expect([g.ask('qqemu.sstepbits'), g.ask('qqemu.sstep')]).toEqual([['ENABLE=1,NOIRQ=2'], ['0x3']]);
    expect([g.ask('Qqemu.sstep=0x1'), g.target.stepInterrupts]).toEqual([['OK'], true]);
    expect([g.ask('Qqemu.sstep=9'), g.ask('Qqemu.sstep=')]).toEqual([['E22'], ['E22']]);
  });
});

describe('monitor commands', () => {
  const line = `qRcmd,${hex('info status')}`;

  test('go to the monitor, and further packets wait for its answer', async () => {
    const g = new FakeGdb(new FakeTarget(), async (text) => `${text}: ok\r\n`).connect();
    expect(g.ask(line)).toEqual([]);
    expect(g.ask('qC')).toEqual([]);
    await new Promise((resolve) => setTimeout(resolve));
    expect(packetsOf(g.raw)).toEqual([`O${hex('info status: ok\n')}`, 'OK', 'QC1']);
  });

  test('long output comes in several packets', async () => {
    const g = new FakeGdb(new FakeTarget(), async () => 'x'.repeat(20_000)).connect();
    g.ask(line);
    await new Promise((resolve) => setTimeout(resolve));
    expect(packetsOf(g.raw).map((packet) => packet[0])).toEqual(['O', 'O', 'O', 'O']);
  });

  test('errors are output, and no monitor is said clearly', async () => {
    const g = new FakeGdb(new FakeTarget(), () => Promise.reject(new Error('no such thing'))).connect();
    g.ask(line);
    await new Promise((resolve) => setTimeout(resolve));
    expect(packetsOf(g.raw)).toEqual([`O${hex('no such thing\n')}`, 'OK']);
    expect(gdb().ask(line)).toEqual([`O${hex('this machine has no monitor\n')}`, 'OK']);
    expect(gdb().ask('qRcmd,0g')).toEqual(['E22']);
  });
});

describe('distrust', () => {
  const letters = fc.constantFrom(...'?gGpPmMXZzcsCSvHTDqQR0123456789abcdef,;:=.-+x');
  const started = fc.constantFrom(
    '',
    'm',
    'M',
    'X',
    'Z0,',
    'P',
    'vCont;',
    'qXfer:features:read:',
    'qRcmd,',
    'Hg',
    'qemu.',
  );

  test('whatever a packet says, it is answered or starts the machine', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(started, fc.string({ unit: letters, maxLength: 24 }), fc.boolean()), { maxLength: 20 }),
        (packets) => {
          const g = gdb();
          for (const [start, rest, noise] of packets) {
            const packet = noise ? `${start}${rest}\x00\xff` : start + rest;
            if (packet[0] === 'k' || packet.startsWith('vKill')) continue;
            const replies = g.ask(packet);
            if (!g.target.running) expect(replies.length).toBeGreaterThan(0);
          }
          expect(g.killed).toBe(0);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('any bytes at all', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 })), (chunks) => {
        const g = gdb();
        for (const chunk of chunks) g.send(chunk);
        g.send('###');
        expect(g.ask('?').at(-1)).toMatch(/^T05/);
      }),
    );
  });

  test('a packet without end', () => {
    const g = gdb();
    g.send('$');
    for (let i = 0; i < 40; i++) g.send(new Uint8Array(MAX_PACKET / 8).fill(0x61));
    expect(packetsOf(g.send('#00'))).toEqual(['E22']);
    expect(g.ask('qC')).toEqual(['QC1']);
  });
});
