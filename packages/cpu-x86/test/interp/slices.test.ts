import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Rig } from '../rig.ts';

const hex = (text: string): Uint8Array =>
  Uint8Array.from(text.replace(/\s/g, '').match(/../g) ?? [], (b) => Number.parseInt(b, 16));

/** Loops with fused pairs, calls, memory, string instructions and code that crosses pages. */
const PROGRAMS = {
  counting: { at: 0x1000, code: 'b9 40000000 83c003 ffc9 75f9 b9 10000000 4829d8 4839c3 7f02 ffc0 ffc9 75f2 f4' },
  calls: { at: 0x1ff0, code: 'b920000000 e806000000 ffc9 75f7 f4 90 50 4801c8 48870424 58 c3' },
  crossing: { at: 0x1ff9, code: '48b8 8877665544332211 48ffc8 b9 05000000 4801c3 49ffc0 ffc9 75f6 f4' },
  strings: {
    at: 0x1000,
    code: 'bf 00500000 be 00300000 b9 00030000 f3a4 bf 00600000 b8 5a5a0000 b9 41000000 f348ab be 00300000 bf 00500000 b9 00010000 f3a6 0f94c0 f4',
  },
} as const;

function boot(program: keyof typeof PROGRAMS): Rig {
  const rig = new Rig();
  rig.mode(64);
  const { at, code } = PROGRAMS[program];
  rig.bytes.set(hex(code), rig.at(at));
  for (let i = 0; i < 4096; i++) rig.bytes[rig.at(0x3000 + i)] = (i * 37) ^ (i >> 5);
  rig.cpu.state.setBig('rip', BigInt(at));
  rig.cpu.state.setBig('regs', 0x8000n, 4);
  return rig;
}

function image(rig: Rig): string {
  const s = rig.cpu.state;
  const regs = Array.from({ length: 16 }, (_, i) => s.getBig('regs', i).toString(16));
  return [
    ...regs,
    s.getBig('rip').toString(16),
    rig.cpu.rflags.toString(16),
    Buffer.from(rig.bytes.slice(rig.at(0x5000), rig.at(0x7000))).toString('base64'),
  ].join();
}

describe('slices', () => {
  for (const name of Object.keys(PROGRAMS) as (keyof typeof PROGRAMS)[]) {
    it(`of any size run ${name} to the same end, counting the same`, () => {
      const whole = boot(name);
      expect(whole.cpu.run(1_000_000)).toBe(1);
      const total = whole.cpu.executed;
      const end = image(whole);
      fc.assert(
        fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 20 }), (budgets) => {
          const rig = boot(name);
          let sum = 0;
          for (let i = 0; ; i++) {
            const budget = budgets[i % budgets.length]!;
            const exit = rig.cpu.run(budget);
            const { executed } = rig.cpu;
            expect(executed).toBeLessThanOrEqual(budget);
            sum += executed;
            if (exit === 1) break;
            expect(exit).toBe(0);
            expect(executed).toBe(budget);
          }
          expect(sum).toBe(total);
          expect(image(rig)).toBe(end);
        }),
        { numRuns: 25 },
      );
    });
  }

  it('end early when the budget is lowered in a callback', () => {
    const rig = new Rig(1 << 20, { pioWrite: (port) => void (port === 0x80 && rig.cpu.limitBudget(3)) });
    rig.mode(64);
    rig.bytes.set(hex('90 e680 90 90 90 90 90 f4'), rig.at(0x1000));
    rig.cpu.state.setBig('rip', 0x1000n);
    expect(rig.cpu.run(1000)).toBe(0);
    expect(rig.cpu.executed).toBe(5);
    expect(rig.cpu.state.getBig('rip')).toBe(0x1006n);
  });

  it('end when somebody asks for the loop', () => {
    const rig = new Rig(1 << 20, { pioWrite: () => rig.cpu.requestExit() });
    rig.mode(64);
    rig.bytes.set(hex('90 e680 90 f4'), rig.at(0x1000));
    rig.cpu.state.setBig('rip', 0x1000n);
    expect(rig.cpu.run(1000)).toBe(5);
    expect(rig.cpu.executed).toBe(2);
    expect(rig.cpu.run(1000)).toBe(1);
  });

  it('show the exact count to callbacks', () => {
    const seen: number[] = [];
    const rig = new Rig(1 << 20, { pioWrite: () => void seen.push(rig.cpu.executed) });
    rig.mode(64);
    rig.bytes.set(hex('90 e680 85c0 7500 e680 f4'), rig.at(0x1000));
    rig.cpu.state.setBig('rip', 0x1000n);
    rig.cpu.run(1000);
    expect(seen).toEqual([2, 5]);
  });
});
