import { defineDevice, IrqLine, type Machine, PowerButton } from '@sterna/core';
import { FwCfg, isaDebugExit } from '@sterna/platform-x86';
import { afterEach, describe, expect, it } from 'vitest';
import { bzImage, pvhElf } from './boot/images.ts';
import { type FakeMachineOptions, fakeMachine } from './fake-machine.ts';

const machines: Machine[] = [];
afterEach(async () => {
  for (const machine of machines.splice(0)) await machine.dispose();
});

function build(options: FakeMachineOptions = {}) {
  const made = fakeMachine(options);
  machines.push(made.machine);
  return made;
}

const hex = (value: number) => value.toString(16);
const mmio = (machine: Machine) =>
  machine.physical.flat.map(
    ({ start, end, region }) =>
      `${hex(start)}-${hex(end - 1)} ${region.kind === 'ram' ? region.block.name : region.name}`,
  );
const ports = (machine: Machine) => machine.ports.flat.map(({ start, end }) => `${hex(start)}-${hex(end - 1)}`);
const sections = (machine: Machine) => machine.sections().map(({ idstr, instanceId }) => `${idstr}/${instanceId}`);
const files = (machine: Machine) =>
  [
    'bootorder',
    'etc/acpi/rsdp',
    'etc/acpi/tables',
    'etc/boot/kernel',
    'etc/e820',
    'etc/fdt',
    'etc/table-loader',
    'genroms/pvh.bin',
    'genroms/linuxboot_dma.bin',
  ].filter((name) => machine.scope.get(FwCfg).file(name) !== undefined);

describe('the microvm machine', () => {
  it('has the address map of QEMU with ACPI', () => {
    const map = mmio(build().machine);
    expect(map.slice(0, 6)).toEqual([
      '0-dffff microvm.ram',
      'e0000-fffff pc.bios',
      '100000-3ffffff microvm.ram',
      expect.stringMatching(/^fea00000-fea00003 /),
      expect.stringMatching(/^fea00200-fea00202 /),
      expect.stringMatching(/^feb00000-feb001ff /),
    ]);
    expect(map).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^feb02e00-feb02fff /),
        expect.stringMatching(/^fec00000-fec00fff /),
        expect.stringMatching(/^fec10000-fec10fff /),
        expect.stringMatching(/^fee00000-feefffff /),
      ]),
    );
    expect(map.at(-1)).toBe('fffe0000-ffffffff pc.bios');
  });

  it('has eight transports and one IO-APIC without ACPI', () => {
    const map = mmio(build({ properties: { acpi: 'off' } }).machine);
    expect(map.filter((line) => line.startsWith('feb0')).length).toBe(8);
    expect(map.some((line) => line.startsWith('fea') || line.startsWith('fec1'))).toBe(false);
    expect(map.at(-1)).toBe('ffff0000-ffffffff pc.bios');
  });

  it('has the ports of QEMU', () => {
    expect(ports(build({ serials: ['null'].slice(1) }).machine)).toEqual([
      '20-21',
      '40-43',
      '70-71',
      '7e-7f',
      'a0-a1',
      '4d0-4d0',
      '4d1-4d1',
      '510-511',
      '514-51b',
    ]);
    expect(ports(build({ properties: { pic: 'off', pit: 'off', rtc: 'off' } }).machine)).toEqual([
      '7e-7f',
      '510-511',
      '514-51b',
    ]);
  });

  it('has the RAM blocks of QEMU', () => {
    const blocks = (machine: Machine) =>
      machine.memory.blocks.map(({ name, usedLength, maxLength, resizable }) => [
        name,
        usedLength,
        maxLength,
        resizable,
      ]);
    expect(blocks(build().machine)).toEqual([
      ['microvm.ram', 64 << 20, 64 << 20, false],
      ['pc.bios', 0x2_0000, 0x2_0000, false],
      ['/rom@etc/acpi/tables', 4096, 2 << 20, true],
      ['/rom@etc/table-loader', 4096, 65536, true],
      ['/rom@etc/acpi/rsdp', 4096, 4096, true],
    ]);
    expect(build({ properties: { acpi: 'off' } }).machine.memory.blocks.map((b) => b.name)).toEqual([
      'microvm.ram',
      'pc.bios',
    ]);
  });

  it('names and orders its sections as QEMU does', () => {
    const devices = ['ioapic/0', 'ioapic/1', 'acpi-ged/0', 'i8259/0', 'i8259/1', 'i8254/0', 'mc146818rtc/0'];
    expect(sections(build().machine).filter((name) => !name.startsWith('virtio'))).toEqual([
      'timer/0',
      'fw_cfg/0',
      'kvm-tpr-opt/0',
      'apic/0',
      ...devices,
    ]);
    expect(sections(build({ cpuCount: 2, properties: { wire: 'qemu-11.1' } }).machine).slice(0, 3)).toEqual([
      'apic/0',
      'apic/1',
      'timer/0',
    ]);
    expect(sections(build({ properties: { acpi: 'off', pic: 'off', pit: 'off', rtc: 'off' } }).machine)).toEqual([
      'timer/0',
      'fw_cfg/0',
      'kvm-tpr-opt/0',
      'apic/0',
      'ioapic/0',
    ]);
  });

  it('offers firmware what QEMU offers', () => {
    expect(files(build().machine)).toEqual([
      'bootorder',
      'etc/acpi/rsdp',
      'etc/acpi/tables',
      'etc/e820',
      'etc/fdt',
      'etc/table-loader',
    ]);
    expect(files(build({ boot: { kernel: pvhElf() }, properties: { acpi: 'off' } }).machine)).toEqual([
      'bootorder',
      'etc/e820',
      'etc/fdt',
      'genroms/pvh.bin',
    ]);
    expect(files(build({ boot: { kernel: bzImage() }, properties: { wire: 'qemu-11.1' } }).machine)).toContain(
      'etc/boot/kernel',
    );
    expect(files(build({ boot: { kernel: bzImage() }, properties: { 'x-option-roms': 'off' } }).machine)).not.toContain(
      'genroms/linuxboot_dma.bin',
    );
  });

  it.each([
    [{ pcie: 'on' }, 'STERNA_ERR_UNSUPPORTED'],
    [{ usb: 'on' }, 'STERNA_ERR_UNSUPPORTED'],
    [{ wire: 'qemu-9.0' }, 'STERNA_ERR_PROPERTY_VALUE'],
    [{ apci: 'on' }, 'STERNA_ERR_PROPERTY_UNKNOWN'],
  ])('refuses %o', (properties, code) => {
    expect(() => build({ properties: properties as Record<string, string> })).toThrow(
      expect.objectContaining({ code }),
    );
  });

  it('maps devices of the user and leads their interrupts to the controllers', () => {
    const lines: IrqLine[] = [];
    const device = defineDevice({
      name: 'test-device',
      bus: 'sysbus',
      description: 'A device',
      inject: [IrqLine],
      create: (_properties, line) => ({ index: lines.push(line) }),
      registers: () => ({ ID: { offset: 0, read: () => 0x1234 } }),
      vmstate: 'stateless',
    });
    const { machine } = build({
      devices: [device({}), device({ at: { mmio: 0xd000_5000, irq: 5 } }), isaDebugExit({ at: { iobase: 0xf4 } })],
    });
    expect(mmio(machine)).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^d1000000-d1000fff /),
        expect.stringMatching(/^d0005000-d0005fff /),
      ]),
    );
    expect(ports(machine)).toContain('f4-f5');
    const pending = () => [0x20, 0xa0].map((port) => machine.bus.ioRead(port, 1));
    lines[0]?.set(true);
    lines[1]?.set(true);
    // The slave's request for interrupt 11 shows at the master's cascade input.
    expect(pending()).toEqual([(1 << 5) | (1 << 2) | (pending()[0]! % 2), 1 << 3]);
  });

  it('forwards the power button to the event device', () => {
    const { machine } = build();
    expect(machine.scope.getAll(PowerButton).length).toBe(1);
    machine.powerDown();
    expect(machine.bus.mmioRead(0xfea0_0000, 4)).toBe(2);
  });
});

describe('reset', () => {
  it('loads the firmware again', () => {
    const { machine } = build({ properties: { acpi: 'off' } });
    const bios = machine.memory.blocks.find((block) => block.name === 'pc.bios')!;
    machine.bus.mmioWrite(0xf_0000, 4, 0x1122_3344);
    expect([...machine.memory.bytes(bios).subarray(0, 4)]).toEqual([0x44, 0x33, 0x22, 0x11]);
    machine.requestReset('guest-reset');
    expect([...machine.memory.bytes(bios).subarray(0, 4)]).toEqual([0xf1, 0xf1, 0xf1, 0xf1]);
  });

  it('places a directly booted kernel and its entry state again', () => {
    const { machine, cpus } = build({
      properties: { 'x-direct-boot': 'on' },
      boot: { kernel: bzImage(), cmdline: 'quiet' },
    });
    const entry = () => [cpus[0]!.values.get('rip'), cpus[0]!.values.get('rsi'), cpus[0]!.values.get('cs.flags')];
    expect(entry()).toEqual([0x10_0200n, 0x7000n, 0xaf_9b00n]);
    machine.bus.mmioWrite(0x10_0000, 4, 0);
    cpus[0]!.values.set('rip', 0n);
    machine.requestReset('guest-reset');
    expect(entry()).toEqual([0x10_0200n, 0x7000n, 0xaf_9b00n]);
    expect(machine.bus.mmioRead(0x10_0000, 4)).toBe(0xcccc_cccc);
  });

  it('shows a directly booted kernel its ACPI root pointer', () => {
    const { machine } = build({ properties: { 'x-direct-boot': 'on' }, boot: { kernel: bzImage() } });
    const signature = [0, 4].map((offset) => machine.bus.mmioRead(0xf_0000 + offset, 4));
    expect(signature).toEqual([0x2044_5352, 0x2052_5450]);
    expect(machine.bus.mmioRead(0x7070, 4)).toBe(0xf_0000);
  });

  it('writes a PVH kernel into RAM for firmware', () => {
    const { machine } = build({ boot: { kernel: pvhElf() }, properties: { acpi: 'off' } });
    expect(machine.bus.mmioRead(0x10_0000, 4)).toBe(0x9090_9090);
    expect(machine.scope.get(FwCfg).file('bootorder')?.bytes).toEqual(
      new TextEncoder().encode('/rom@genroms/pvh.bin\0'),
    );
  });
});
