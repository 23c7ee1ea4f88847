import type { HostFiles, IrqLine } from '@sterna/core';
import { describe, expect, it } from 'vitest';
import plugin, { traceLog } from '../src/index.ts';

function make(options: { watermark?: number; size?: number } = {}) {
  const levels: boolean[] = [];
  const irq: IrqLine = { set: (level) => void levels.push(level) };
  const { descriptor } = traceLog;
  const none = { tap: () => {} };
  const files: HostFiles = { write: () => {}, append: () => {} };
  const log = descriptor.create(
    { watermark: options.watermark ?? 2, size: options.size ?? 16, mirror: undefined },
    irq,
    { runState: none },
    files,
    {},
    {},
  );
  const { CTRL, HEAD, DATA } = descriptor.registers!(log);
  return { log, levels, CTRL: CTRL!, HEAD: HEAD!, DATA: DATA!, descriptor };
}

describe('trace-log', () => {
  it('keeps words only while enabled', () => {
    const { CTRL, HEAD, DATA } = make();
    DATA.write!(1);
    expect(HEAD.read!()).toBe(0);
    CTRL.write!(1);
    DATA.write!(1);
    expect(HEAD.read!()).toBe(1);
  });

  it('raises its line at the watermark and lowers it on reset', () => {
    const { CTRL, DATA, levels, log, descriptor } = make();
    CTRL.write!(1);
    DATA.write!(1);
    expect(levels.at(-1)).toBe(false);
    DATA.write!(2);
    expect(levels.at(-1)).toBe(true);
    (descriptor.reset as (state: object) => void)(log);
    expect(levels.at(-1)).toBe(false);
  });

  it('drops words beyond its capacity', () => {
    const { CTRL, HEAD, DATA } = make({ size: 8 });
    CTRL.write!(1);
    for (let i = 0; i < 5; i++) DATA.write!(i);
    expect(HEAD.read!()).toBe(2);
  });

  it('refuses a size that is not whole words', () => {
    expect(() => make({ size: 7 })).toThrow(/size 7 is not a positive multiple of 4/);
  });

  it('refuses a loaded head beyond its capacity', () => {
    const { log, descriptor } = make({ size: 8 });
    log.head = 3;
    const { vmstate } = descriptor;
    expect(() => (vmstate as { postLoad(state: object, version: number): void }).postLoad(log, 2)).toThrow(
      /head 3 exceeds the capacity of 2 words/,
    );
  });

  it('is offered by the plugin', () => {
    expect(plugin.devices).toEqual([traceLog]);
  });
});
