import { beforeEach, expect, it } from 'vitest';
import { AcpiGed } from '../../src/acpi-ged/chip.ts';
import { acpiGedState } from '../../src/acpi-ged/state.ts';
import { loadState, saveState } from '../support/codec.ts';
import { FakeIrq } from '../support/fakes.ts';
import { describeGolden } from '../support/golden.ts';

let irq: FakeIrq;
let asked: string[];
let ged: AcpiGed;

beforeEach(() => {
  irq = new FakeIrq();
  asked = [];
  ged = new AcpiGed(irq, {
    requestReset: (cause) => asked.push(`reset ${cause}`),
    requestShutdown: (cause) => asked.push(`shutdown ${cause}`),
    requestSuspend: () => asked.push('suspend'),
    requestWakeup: (reason) => asked.push(`wakeup ${reason}`),
    supportWakeup: () => {},
    requestExit: (code) => asked.push(`exit ${code}`),
  });
});

it('announces the power button with a pulse and forgets it when read', () => {
  ged.pressed();
  expect(irq.edges).toBe(1);
  expect(irq.level).toBe(false);
  expect(ged.readSelector()).toBe(2);
  expect(ged.readSelector()).toBe(0);
});

it('powers off on S5 with the enable bit only', () => {
  ged.writeRegister(0, 5 << 2);
  ged.writeRegister(0, 0x20 | (3 << 2));
  expect(asked).toEqual([]);
  ged.writeRegister(0, 0x20 | (5 << 2));
  expect(asked).toEqual(['shutdown guest-shutdown']);
});

it('resets on its magic value', () => {
  ged.writeRegister(2, 0x41);
  ged.writeRegister(2, 0x42);
  expect(asked).toEqual(['reset guest-reset']);
});

describeGolden('acpi-ged', ({ payload, version }) => {
  loadState(acpiGedState, ged, payload, version);
  expect(saveState(acpiGedState, ged)).toEqual(payload);
});
