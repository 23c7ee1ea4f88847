import fc from 'fast-check';
import { beforeEach, expect, it } from 'vitest';
import { VirtioMmio } from '../../src/mmio/transport.ts';
import { virtioMmio } from '../../src/mmio/virtio-mmio.ts';

let errors: string[];
const irq = {
  level: true,
  set(level: boolean): void {
    irq.level = level;
  },
};
const logger = { info: () => {}, warn: () => {}, guestError: (text: string) => void errors.push(text) };

beforeEach(() => {
  errors = [];
});

it('identifies itself and says that nothing is plugged in', () => {
  const transport = new VirtioMmio(true, irq, logger);
  expect([0, 4, 8, 12].map((offset) => transport.read(offset, 4))).toEqual([0x74726976, 1, 0, 0x554d4551]);
  expect(errors).toEqual([]);
});

it('has version 2 when it is not forced to be legacy', () => {
  expect(new VirtioMmio(false, irq, logger).read(4, 4)).toBe(2);
});

it('reads zero elsewhere, ignores writes and reports them', () => {
  const transport = new VirtioMmio(true, irq, logger);
  fc.assert(
    fc.property(
      fc.integer({ min: 0x10, max: 0x1ff }),
      fc.nat(0xffffffff),
      fc.constantFrom(1, 2, 4),
      (offset, value, size) => {
        transport.write(offset, value, size);
        expect(transport.read(offset, size)).toBe(0);
      },
    ),
  );
  expect(errors.length).toBeGreaterThan(0);
});

it('lowers its line at reset and has no section', () => {
  const { descriptor } = virtioMmio;
  const transport = descriptor.create({ 'force-legacy': true }, irq, logger) as VirtioMmio;
  transport.lowerIrq();
  expect(irq.level).toBe(false);
  expect(descriptor.vmstate).toBe('stateless');
  expect(descriptor.regions?.(transport)[0]?.size).toBe(0x200);
});
