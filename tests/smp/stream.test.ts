import { describe, expect, it } from 'vitest';
import { BareMachine } from './bare-machine.ts';

const SLEEP = `
bsp:
ap:
  cli
  hlt
`;

/** Sections of each vCPU, as QEMU sends them. */
const cpu = (index: number): string[] => [
  `cpu_common/${index}`,
  `cpu/${index}`,
  ...(index === 0 ? ['kvm-tpr-opt/0'] : []),
  `apic/${index}`,
];

describe('the stream of a machine with several vCPUs', () => {
  it.each([
    ['compat', ['timer/0', 'fw_cfg/0', ...cpu(0), ...cpu(1), ...cpu(2)]],
    [
      'qemu-11.1',
      [
        'apic/0',
        'apic/1',
        'apic/2',
        'timer/0',
        'fw_cfg/0',
        ...[0, 1, 2].flatMap((index) => cpu(index).filter((name) => !name.startsWith('apic'))),
      ],
    ],
  ])('has the sections of each in the order of %s', (wire, expected) => {
    const { machine } = new BareMachine(3, SLEEP, { wire });
    const names = machine.sections().map(({ idstr, instanceId }) => `${idstr}/${instanceId}`);
    expect(names.slice(0, expected.length)).toEqual(expected);
    expect(names[expected.length]).toBe('ioapic/0');
  });
});
