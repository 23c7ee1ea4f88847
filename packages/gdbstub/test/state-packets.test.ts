import { describe, expect, test } from 'vitest';
import { FakeGdb, FakeTarget, packetsOf } from './fake-target.ts';

const gdb = (target?: FakeTarget): FakeGdb => new FakeGdb(target).connect();
const hex = (text: string): string => Buffer.from(text).toString('hex');

describe('registers', () => {
  test('in the order of the target description, in the byte order of the target', () => {
    expect(gdb().ask('g')).toEqual(['11332277665544']);
    expect(gdb(new FakeTarget(1, false)).ask('g')).toEqual(['11223344556677']);
  });

  test('of the chosen thread', () => {
    const g = gdb();
    expect([g.ask('Hg2'), g.ask('P0=ff'), g.ask('p0'), g.ask('Hg1'), g.ask('p0')]).toEqual([
      ['OK'],
      ['OK'],
      ['ff'],
      ['OK'],
      ['11'],
    ]);
    expect([g.ask('Hg3'), g.ask('Hx1'), g.ask('Hg'), g.ask('Hgzz'), g.ask('Hc-1'), g.ask('Hgp1.2')]).toEqual([
      ['E22'],
      ['E22'],
      ['E22'],
      ['E22'],
      ['OK'],
      ['OK'],
    ]);
  });

  test('written all at once', () => {
    const g = gdb();
    expect([g.ask('G01020304050607'), g.ask('g')]).toEqual([['OK'], ['01020304050607']]);
    expect([g.ask('G0102'), g.ask('Gzz020304050607'), g.ask('G')]).toEqual([['E22'], ['E22'], ['E22']]);
  });

  test.each(['p', 'p3', 'pffffffff', 'p-1', 'P', 'P1', 'P1=', 'P1=12', 'P1=123456', 'P9=12', 'Px=12', 'P0=0g'])(
    '%s is refused',
    (packet) => {
      expect(gdb().ask(packet)).toEqual(['E22']);
    },
  );
});

describe('memory', () => {
  test('is read and written in hexadecimal and in binary', () => {
    const g = gdb();
    expect([g.ask('M10,3:010203'), g.ask('X13,4:\x7d}#$'), g.ask('m10,7')]).toEqual([
      ['OK'],
      ['OK'],
      ['0102037d7d2324'],
    ]);
    expect([g.ask('X0,0:'), g.ask('m0,0')]).toEqual([['OK'], ['']]);
  });

  test('as far as there is some', () => {
    const g = gdb();
    expect([g.ask('mfe,8'), g.ask('m100,1'), g.ask('mffffffffffffffff,4')]).toEqual([['0000'], ['E14'], ['E14']]);
    expect([g.ask('Mff,2:0102'), g.ask('X100,1:a')]).toEqual([['E14'], ['E14']]);
  });

  test.each([
    'm',
    'm0',
    'm0,',
    'm,1',
    'm0,1,2',
    'mx,1',
    'm00000000000000000,1',
    'm0,ffffffff',
    'm0,8000',
    'm0,1:',
    'M0,1',
    'M0,1:',
    'M0,1:0',
    'M0,1:zz',
    'M0,2:00',
    'X0,1',
    'X0,1:',
    'X0,2:a',
  ])('%s is refused', (packet) => {
    expect(gdb().ask(packet)).toEqual(['E22']);
  });

  test("is physical in QEMU's mode, until the next connection", () => {
    const g = gdb();
    expect([g.ask('Qqemu.PhyMemMode:1'), g.ask('qqemu.PhyMemMode'), g.target.physicalMemory]).toEqual([
      ['OK'],
      ['1'],
      true,
    ]);
    expect(g.ask('Qqemu.PhyMemMode:2')).toEqual(['E22']);
    g.disconnect();
    g.connect();
    expect(g.target.physicalMemory).toBe(false);
  });
});

describe('breakpoints and watchpoints', () => {
  test('come and go; both kinds at one address are one breakpoint', () => {
    const g = gdb();
    expect([g.ask('Z0,10,1'), g.ask('Z1,10,1'), g.ask('Z0,10,1'), g.target.breakpoints.size]).toEqual([
      ['OK'],
      ['OK'],
      ['OK'],
      1,
    ]);
    g.ask('z0,10,1');
    expect(g.target.breakpoints.size).toBe(1);
    expect([g.ask('z1,10,1'), g.target.breakpoints.size, g.ask('z1,10,1')]).toEqual([['OK'], 0, ['OK']]);
    g.ask('Z2,20,4');
    g.ask('Z3,30,1');
    g.ask('Z4,40,8');
    expect(g.target.watchpoints.map(({ kind, length }) => [kind, length])).toEqual([
      ['write', 4],
      ['read', 1],
      ['access', 8],
    ]);
    expect(g.ask('Z2,50,1')).toEqual(['E1c']);
    g.ask('?');
    expect(g.target.watchpoints).toEqual([]);
  });

  test('the reason is told to a gdb that knows it', () => {
    const g = gdb();
    const stop = { state: 'debug', cpu: g.target.cpus[0]!, stop: { kind: 'breakpoint', address: 0x10n } } as const;
    g.ask('Z0,10,1');
    g.ask('c');
    g.target.stopWith(stop);
    expect(packetsOf(g.raw).at(-1)).toBe('T05thread:1;');
    expect(g.ask('qSupported:multiprocess+;swbreak+;hwbreak+')[0]).toContain(';swbreak+;hwbreak+');
    g.ask('c');
    g.target.stopWith(stop);
    expect(packetsOf(g.raw).at(-1)).toBe('T05thread:1;swbreak:;');
    g.ask('z0,10,1');
    g.ask('Z1,10,1');
    g.ask('c');
    g.target.stopWith(stop);
    expect(packetsOf(g.raw).at(-1)).toBe('T05thread:1;hwbreak:;');
    g.ask('c');
    const watchpoint = { address: 0xffff_8000_0000_0000n, length: 4, kind: 'access' } as const;
    g.target.stopWith({ ...stop, stop: { kind: 'watchpoint', watchpoint } });
    expect(packetsOf(g.raw).at(-1)).toBe('T05thread:1;awatch:ffff800000000000;');
  });

  test.each(['Z0', 'Z0,', 'Z0,1', 'Z0,zz,1', 'Z0,1,1;X1', 'Z2,1,0', 'Z0,11111111111111111,1', 'Z4,1,fffffffff'])(
    '%s is refused',
    (packet) => {
      expect(gdb().ask(packet)).toEqual([packet === 'Z0' ? '' : 'E22']);
    },
  );
});

describe('queries', () => {
  test('the target description, in parts', () => {
    const g = gdb();
    let text = '';
    for (;;) {
      const [part] = g.ask(`qXfer:features:read:target.xml:${text.length.toString(16)},20`);
      text += part!.slice(1);
      if (part![0] === 'l') break;
    }
    expect(text).toContain('<architecture>toy</architecture><feature name="org.example.toy">');
    expect(text).toContain('<reg name="pc" bitsize="16" type="code_ptr" regnum="1"/>');
    expect(g.ask('qXfer:features:read:target.xml:ffff,20')).toEqual(['l']);
    expect(g.ask('qXfer:features:read:other.xml:0,20')).toEqual(['E00']);
    expect(g.ask('qXfer:features:read:target.xml:0')).toEqual(['E22']);
    expect(g.ask('qXfer:auxv:read::0,20')).toEqual(['']);
  });

  test('threads', () => {
    const g = gdb();
    expect([g.ask('qfThreadInfo'), g.ask('qsThreadInfo'), g.ask('T2'), g.ask('T3')]).toEqual([
      ['m1,2'],
      ['l'],
      ['OK'],
      ['E22'],
    ]);
    expect(g.ask('qThreadExtraInfo,2')).toEqual([hex('CPU#1 [halted]')]);
    expect(g.ask('qThreadExtraInfo,0')).toEqual(['E22']);
    expect(g.ask('qXfer:threads:read::0,fff')[0]).toContain('<thread id="2" core="1">CPU#1 [halted]</thread>');
  });

  test('gdb may leave the machine alone', () => {
    expect(gdb().ask('qAttached')).toEqual(['1']);
  });

  test.each(['vMustReplyEmpty', 'qTStatus', 'qSymbol::', 'QNonStop:1', 'vFile:open:00', 'j', '', '!'])(
    "'%s' is not known",
    (packet) => {
      expect(gdb().ask(packet)).toEqual(['']);
    },
  );
});
