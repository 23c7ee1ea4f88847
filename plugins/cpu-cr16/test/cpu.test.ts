import { CpuBench, cpuConformance } from '@sterna/testkit';
import { describe, expect, it, test } from 'vitest';
import { cr16Board, cr16c, decode, disassemble } from '../src/index.ts';
import { Assembler } from './assembler.ts';
import { tickGuest } from './tick-guest.ts';

/** Registers after a few instructions at 0. */
async function run(program: Assembler, count: number, start: Readonly<Record<string, number>> = {}) {
  await using bench = new CpuBench(cr16c, { program: program.bytes() });
  for (const { name, write } of bench.cpu.registers()) if (start[name] !== undefined) write(BigInt(start[name]));
  const exit = bench.run(count);
  const registers = Object.fromEntries([...bench.registers()].map(([name, value]) => [name, Number(value)]));
  return { exit, registers, ram: bench.ram.slice() };
}

describe('cr16c', () => {
  it('keeps carry and borrow', async () => {
    // addw $1,r0; subb $1,r1; subcw $0,r2; addcb $-1,r3
    const program = new Assembler().words(0x3210, 0x3811, 0x3e02, 0x3493);
    const { registers } = await run(program, 4, { r0: 0xffff, r1: 0x5500, r2: 0, r3: 0x12ff, psr: 0x20 });
    expect([registers['r0'], registers['r1'], registers['r2'], registers['r3']]).toEqual([0, 0x55ff, 0xffff, 0x12ff]);
    expect(registers['psr']).toBe(1);
  });

  it('compares signed and unsigned', async () => {
    // cmpw $-1,r0: -1 is less than 1, and 0xffff is higher
    expect((await run(new Assembler().words(0x5290), 1, { r0: 1 })).registers['psr']).toBe(0x04);
    expect((await run(new Assembler().words(0x5210), 1, { r0: 0xffff })).registers['psr']).toBe(0x80);
    expect((await run(new Assembler().words(0x5210), 1, { r0: 1 })).registers['psr']).toBe(0x40);
  });

  it('shifts by the least counts, which only a register can hold', async () => {
    // lshb r4,r0; ashub r4,r1; lshw r4,r2; lshd r5,(r7,r6)
    const program = new Assembler().words(0x4440, 0x4141, 0x4642, 0x4756);
    const start = { r0: 0x12ff, r1: 0x1280, r2: 0x8000, r4: 0xfff8, r5: 0x20, r6: 0xffff, r7: 0xffff };
    const { registers } = await run(program, 4, start);
    expect([registers['r0'], registers['r1'], registers['r2']]).toEqual([0x1200, 0x12ff, 0x80]);
    expect([registers['r6'], registers['r7']]).toEqual([0, 0]);
  });

  it('multiplies and accumulates up to the limit', async () => {
    // macsw r0,r1,(r3,r2); macuw r0,r1,(r5,r4); macqw r0,r1,(r7,r6)
    const program = new Assembler().words(0x14, 0xf201, 0x14, 0xe401, 0x14, 0xd601);
    const start = { r0: 0x8000, r1: 0x8000, r2: 0xffff, r3: 0x7fff, r4: 1, r5: 0, r6: 0, r7: 0 };
    const { registers } = await run(program, 3, start);
    expect([registers['r3'], registers['r2']]).toEqual([0x7fff, 0xffff]);
    expect([registers['r5'], registers['r4']]).toEqual([0x4000, 1]);
    expect([registers['r7'], registers['r6']]).toEqual([0x7fff, 0xffff]);
  });

  it('calls, keeps registers on the stack and comes back', async () => {
    const program = new Assembler().call('f').label('back').branch(14, 'back').at(0x100).label('f');
    // push $4,r10,ra (r10, r11, r12); popret $4,r10,ra
    program.words(0x01ba, 0x03ba);
    const start = { sp: 0x8000, r10: 0xaaaa, r11: 0xbbbb, r12: 0xcccc_dddd };
    const { registers, ram } = await run(program, 4, start);
    expect([registers['pc'], registers['sp'], registers['ra']]).toEqual([4, 0x8000, 2]);
    expect([...new Uint16Array(ram.buffer, 0x8000 - 12, 6)]).toEqual([0xaaaa, 0xbbbb, 0xdddd, 0xcccc, 2, 0]);
    expect(registers['r12']).toBe(0xcccc_dddd);
  });

  it('moves lists of registers', async () => {
    // storm $5 to r1; loadmp $5 from (r1,r0)
    const { registers, ram } = await run(new Assembler().words(0xb4), 1, {
      r1: 0x200,
      r2: 2,
      r3: 3,
      r4: 4,
      r5: 5,
      r8: 8,
    });
    expect([...new Uint16Array(ram.buffer, 0x200, 6)]).toEqual([2, 3, 4, 5, 8, 0]);
    expect(registers['r1']).toBe(0x20a);
    const loaded = await run(new Assembler().words(0xac).at(0x200).words(7, 6, 5, 4, 3), 1, { r0: 0x200 });
    expect(['r2', 'r3', 'r4', 'r5', 'r8', 'r0'].map((name) => loaded.registers[name])).toEqual([7, 6, 5, 4, 3, 0x20a]);
  });

  it('has a pointer of its own for the stack of users, who may not change modes', async () => {
    const program = new Assembler().at(0x10).half('und').half('und').half('und').half('und').half('und').half('und');
    // The table begins at 0, so UND (10) is at 0x14. jusr (r1,r0); in user mode: ei
    program.at(0x40).words(0x0af0).at(0x60).label('user').words(0x0005).at(0x80).label('und').words(0x2c00);
    const start = { pc: 0x40, r0: 0x30, sp: 0x7000, usp: 0x5000, isp: 0x9000 };
    const inUser = await run(program, 1, start);
    expect([inUser.registers['pc'], inUser.registers['sp']]).toEqual([0x60, 0x5000]);
    const { registers, ram } = await run(program, 2, start);
    expect([registers['pc'], registers['sp'], registers['usp'], registers['isp']]).toEqual([
      0x80, 0x7000, 0x5000, 0x8ffa,
    ]);
    expect([...new Uint16Array(ram.buffer, 0x8ffa, 3)]).toEqual([0x30, 0, 0x08]);
  });

  it('traces a program with the T bit', async () => {
    const program = new Assembler()
      .at(0x12)
      .half('trc')
      .at(0x40)
      .words(0x2c00, 0x2c00)
      .at(0x80)
      .label('trc')
      .words(0x0003);
    const start = { pc: 0x40, isp: 0x9000, psr: 0x02 };
    expect((await run(program, 2, start)).registers['pc']).toBe(0x80);
    // The handler's status has neither T nor P; the return brings T back, and P, which says that the trap was taken.
    expect((await run(program, 3, start)).registers['pc']).toBe(0x42);
  });

  it('writes instructions as GNU as does', () => {
    const text = (...words: number[]): string => disassemble(decode({ word: (n) => words[n]! }));
    expect(text(0x3293)).toBe('addw $-1,r3');
    expect(text(0x52b0, 0x8000)).toBe('cmpw $-32768,r0');
    expect(text(0x89f2, 0x1234)).toBe('loadw 0x21234,sp');
    expect(text(0xbe9b)).toBe('loadb [r13]0x0(r7,r6),r9');
    expect(text(0x0018, 0x9083, 0xfffc)).toBe('loadd -0xf0004(r4,r3),(r9,r8)');
    expect(text(0x1aef)).toBe('br *-0xa2');
    expect(text(0x019c)).toBe('push $2,r12,ra');
    expect(text(0x0014, 0x109c)).toBe('lprd (r12),psr');
    expect(text(0xffff)).toBe('undefined');
  });
});

describe('cr16c keeps the rules of processors', () => {
  for (const { name, run: check } of cpuConformance(cr16c, {
    program: tickGuest(),
    machine: cr16Board.type,
    ramSize: 64 << 10,
    steps: 600,
  }))
    test(name, check);
});
