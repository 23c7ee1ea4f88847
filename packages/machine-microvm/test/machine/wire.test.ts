import { describe, expect, it } from 'vitest';
import { sectionOrder, WIRE_GENERATIONS } from '../../src/machine/wire.ts';

const created = [
  'timer/0',
  'cpu_common/0',
  'cpu/0',
  'cpu_common/1',
  'cpu/1',
  'fw_cfg/0',
  'apic/0',
  'kvm-tpr-opt/0',
  'apic/1',
  'ioapic/0',
  'ioapic/1',
  'i8259/0',
  'i8259/1',
  'acpi-ged/0',
  'i8254/0',
  'mc146818rtc/0',
  'serial/0',
  'trace-log/0',
].map((name) => ({ idstr: name.split('/')[0]!, instanceId: Number(name.split('/')[1]) }));
const names = (wire: keyof typeof WIRE_GENERATIONS) =>
  sectionOrder(WIRE_GENERATIONS[wire])(created).map((s) => `${s.idstr}/${s.instanceId}`);
const devices = [
  'ioapic/0',
  'ioapic/1',
  'acpi-ged/0',
  'i8259/0',
  'i8259/1',
  'i8254/0',
  'mc146818rtc/0',
  'serial/0',
  'trace-log/0',
];

describe('section order', () => {
  it('follows QEMU 7.2 and 10.0 with each apic after its cpu', () => {
    const expected = [
      'timer/0',
      'fw_cfg/0',
      'cpu_common/0',
      'cpu/0',
      'kvm-tpr-opt/0',
      'apic/0',
      'cpu_common/1',
      'cpu/1',
      'apic/1',
      ...devices,
    ];
    expect(names('qemu-7.2')).toEqual(expected);
    expect(names('qemu-10.0')).toEqual(expected);
    expect(names('compat')).toEqual(expected);
  });

  it('follows QEMU 11.1 with all apics first', () => {
    expect(names('qemu-11.1')).toEqual([
      'apic/0',
      'apic/1',
      'timer/0',
      'fw_cfg/0',
      'cpu_common/0',
      'cpu/0',
      'kvm-tpr-opt/0',
      'cpu_common/1',
      'cpu/1',
      ...devices,
    ]);
  });
});
