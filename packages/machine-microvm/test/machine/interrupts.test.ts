import { describe, expect, it } from 'vitest';
import { GsiRouter } from '../../src/machine/interrupts.ts';

function recorder(name: string, log: string[]) {
  return { input: (pin: number) => ({ set: (level: boolean) => void log.push(`${name}${pin}=${level ? 1 : 0}`) }) };
}

function router(options: { pic?: boolean; ioapics?: number } = {}): { gsi: GsiRouter; log: string[] } {
  const log: string[] = [];
  const ioapics = Array.from({ length: options.ioapics ?? 2 }, (_, i) => recorder(`io${i}.`, log));
  return { gsi: new GsiRouter({ pic: options.pic === false ? undefined : recorder('pic.', log), ioapics }), log };
}

describe('interrupt wiring', () => {
  it.each([
    [0, ['pic.0=1', 'io0.2=1']],
    [4, ['pic.4=1', 'io0.4=1']],
    [15, ['pic.15=1', 'io0.15=1']],
    [16, ['io0.16=1']],
    [23, ['io0.23=1']],
    [24, ['io1.0=1']],
    [47, ['io1.23=1']],
  ])('leads interrupt %i to its pins', (n, expected) => {
    const { gsi, log } = router();
    gsi.line(n).set(true);
    expect(log).toEqual(expected);
  });

  it('reaches only the IO-APIC without the 8259', () => {
    const { gsi, log } = router({ pic: false });
    gsi.line(0).set(true);
    expect(log).toEqual(['io0.2=1']);
  });

  it('stays high while any of its sources is', () => {
    const { gsi, log } = router();
    const [a, b] = [gsi.line(11), gsi.line(11)];
    a.set(true);
    b.set(true);
    a.set(false);
    expect(log).toEqual(['pic.11=1', 'io0.11=1']);
    b.set(false);
    expect(log.slice(2)).toEqual(['pic.11=0', 'io0.11=0']);
  });

  it.each([-1, 1.5, 24, 48])('refuses interrupt %f on a machine with one IO-APIC', (n) => {
    expect(() => router({ ioapics: 1 }).gsi.line(n)).toThrow(
      expect.objectContaining({ code: 'STERNA_ERR_BUS_ADDRESS' }),
    );
  });
});
