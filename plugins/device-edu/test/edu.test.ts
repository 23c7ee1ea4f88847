import { DeviceHarness } from '@sterna/testkit';
import { describe, expect, it } from 'vitest';
import plugin, { EDU_BUFFER, edu } from '../src/index.ts';

const REG = {
  ID: 0x00,
  LIVENESS: 0x04,
  FACTORIAL: 0x08,
  STATUS: 0x20,
  IRQ_STATUS: 0x24,
  IRQ_RAISE: 0x60,
  IRQ_ACK: 0x64,
  DMA_SOURCE: 0x80,
  DMA_TARGET: 0x88,
  DMA_COUNT: 0x90,
  DMA_COMMAND: 0x98,
} as const;

function transfer(device: DeviceHarness, source: number, target: number, count: number, command: number): void {
  device.write(REG.DMA_SOURCE, source);
  device.write(REG.DMA_TARGET, target);
  device.write(REG.DMA_COUNT, count);
  device.write(REG.DMA_COMMAND, command);
  device.advance(100_000);
}

describe('sterna-edu', () => {
  it('says who it is and answers the complement', async () => {
    await using device = new DeviceHarness(edu);
    device.write(REG.LIVENESS, 0x1234_5678);
    expect([device.read(REG.ID), device.read(REG.LIVENESS)]).toEqual([0x010000ed, 0xedcb_a987]);
  });

  it('computes a factorial after a while and interrupts if asked to', async () => {
    await using device = new DeviceHarness(edu);
    device.write(REG.STATUS, 0x80);
    device.write(REG.FACTORIAL, 10);
    expect(device.read(REG.STATUS)).toBe(0x81);
    device.write(REG.FACTORIAL, 3);
    device.advance(100_000);
    expect([device.read(REG.FACTORIAL), device.read(REG.STATUS), device.read(REG.IRQ_STATUS)]).toEqual([
      3_628_800, 0x80, 1,
    ]);
    expect(device.irq()).toBe(true);
    device.write(REG.IRQ_ACK, 1);
    expect(device.irq()).toBe(false);
  });

  it('multiplies as 32-bit hardware', async () => {
    await using device = new DeviceHarness(edu);
    for (const [value, product] of [
      [0, 1],
      [13, 1_932_053_504],
      [34, 0],
      [0xffff_ffff, 0],
    ] as const) {
      device.write(REG.FACTORIAL, value);
      device.advance(100_000);
      expect(device.read(REG.FACTORIAL)).toBe(product);
    }
  });

  it('moves bytes from RAM into its buffer and back', async () => {
    await using device = new DeviceHarness(edu);
    device.ram.set([1, 2, 3, 4], 0x1000);
    transfer(device, 0x1000, EDU_BUFFER.base + 8, 4, 1);
    transfer(device, EDU_BUFFER.base + 8, 0x2000, 4, 1 | 2 | 4);
    expect([...device.ram.subarray(0x2000, 0x2004)]).toEqual([1, 2, 3, 4]);
    expect(device.read(REG.DMA_COMMAND)).toBe(2 | 4);
    expect(device.read(REG.IRQ_STATUS)).toBe(0x100);
  });

  it.each([
    ['outside of the buffer', 0x1000, EDU_BUFFER.base + EDU_BUFFER.size - 3, 4],
    ['below the buffer', 0x1000, 0, 4],
    ['beyond the mask', 0xffff, EDU_BUFFER.base, 2],
  ])('refuses a transfer %s', async (_, source, target, count) => {
    await using device = new DeviceHarness(edu, { properties: { 'dma-mask': 0xffff } });
    transfer(device, source, target, count, 1);
    expect(device.read(REG.DMA_COMMAND)).toBe(0);
    expect(device.host.log.join('\n')).toMatch(/DMA of \d+ bytes from/);
  });

  it('raises what the guest wants, to try its handler', async () => {
    await using device = new DeviceHarness(edu);
    device.write(REG.IRQ_RAISE, 0x8000_0001);
    expect([device.read(REG.IRQ_STATUS), device.irq()]).toEqual([0x8000_0001, true]);
  });

  it('is offered by the plugin', () => {
    expect(plugin.devices).toEqual([edu]);
  });
});
