import {
  type DeviceRegion,
  type DeviceType,
  isVmStateTable,
  type ResolvedVmState,
  resolveVmState,
  type VmStateTable,
} from '@sterna/core';
import { describe, expect, it } from 'vitest';
import * as platform from '../src/index.ts';
import { ApicRig } from './support/apic-rig.ts';
import { loadState, saveState } from './support/codec.ts';
import { FakeChar, FakeDma, FakeIrq, FakeLogger, FakeRtcClock } from './support/fakes.ts';
import { type Described, goldenDescription } from './support/golden.ts';

const rig = new ApicRig(1);
const irq = new FakeIrq();
const control = { requestReset() {}, requestShutdown() {}, requestExit: (code: number) => exits.push(code) };
const exits: number[] = [];
const char = new FakeChar();

/** Each device with properties, services in the order of `inject`, section, and its regions as [space, size, default base]. */
const DEVICES: readonly {
  readonly type: DeviceType;
  readonly properties?: object;
  readonly services: readonly unknown[];
  readonly section: string | undefined;
  readonly regions: readonly (readonly [string, number, number?])[];
}[] = [
  {
    type: platform.apic,
    properties: { index: 0, id: undefined },
    services: [rig.cpus[0], rig.bus, rig.clock, rig.hooks],
    section: 'apic',
    regions: [],
  },
  {
    type: platform.ioapic,
    properties: { version: 0x20 },
    services: [rig.bus, rig.clock, rig.hooks],
    section: 'ioapic',
    regions: [['mmio', 0x1000]],
  },
  {
    type: platform.i8259,
    properties: { master: true },
    services: [irq, rig.hooks],
    section: 'i8259',
    regions: [
      ['io', 2, 0x20],
      ['io', 1, 0x4d0],
    ],
  },
  {
    type: platform.i8259,
    properties: { master: false },
    services: [irq, rig.hooks],
    section: 'i8259',
    regions: [
      ['io', 2, 0xa0],
      ['io', 1, 0x4d1],
    ],
  },
  { type: platform.i8254, services: [irq, rig.clock], section: 'i8254', regions: [['io', 4, 0x40]] },
  {
    type: platform.mc146818rtc,
    properties: { base_year: 2000 },
    services: [irq, new FakeRtcClock(0n)],
    section: 'mc146818rtc',
    regions: [['io', 2, 0x70]],
  },
  {
    type: platform.isaSerial,
    properties: { baudbase: 115200 },
    services: [irq, rig.clock, char],
    section: 'serial',
    regions: [['io', 8, 0x3f8]],
  },
  {
    type: platform.fwCfg,
    properties: { dma_enabled: true },
    services: [new FakeDma(), new FakeLogger()],
    section: 'fw_cfg',
    regions: [
      ['io', 2, 0x510],
      ['io', 8, 0x514],
    ],
  },
  {
    type: platform.acpiGed,
    services: [irq, control],
    section: 'acpi-ged',
    regions: [
      ['mmio', 4],
      ['mmio', 3],
    ],
  },
  { type: platform.kvmvapic, services: [], section: 'kvm-tpr-opt', regions: [['io', 2, 0x7e]] },
  {
    type: platform.isaDebugExit,
    properties: { iobase: 0x501, iosize: 2 },
    services: [control],
    section: undefined,
    regions: [['io', 2, 0x501]],
  },
  {
    type: platform.pcTestdev,
    services: [[]],
    section: undefined,
    regions: [
      ['io', 4, 0xe0],
      ['io', 4, 0xe4],
      ['io', 4, 0xe8],
      ['io', 24, 0x2000],
      ['mmio', 0x10000, 0xff000000],
    ],
  },
  {
    type: platform.isaDebugcon,
    properties: { iobase: 0xe9, readback: 0xe9 },
    services: [char],
    section: undefined,
    regions: [['io', 1, 0xe9]],
  },
];

function make(entry: (typeof DEVICES)[number]): { readonly dev: object; readonly regions: readonly DeviceRegion[] } {
  const { descriptor } = entry.type;
  const dev = descriptor.create((entry.properties ?? {}) as Record<string, unknown>, ...entry.services) as object;
  return { dev, regions: (descriptor.regions?.(dev) ?? []) as readonly DeviceRegion[] };
}

function reset(type: DeviceType, dev: object): void {
  const phases = type.descriptor.reset;
  if (phases === undefined || typeof phases === 'function') return;
  phases.enter?.(dev);
  phases.hold?.(dev);
  phases.exit?.(dev);
}

/** Names, versions and nesting of a table, with QEMU's numbers of repeated names left out. */
function shape(name: string, version: number, fields: readonly string[], subsections: readonly unknown[]): object {
  return { name, version, fields, subsections };
}

function shapeOfTable(state: ResolvedVmState, only: readonly Described[]): object {
  const fields = state.fields
    .filter((field) => field.when === undefined)
    .map((field) =>
      field.kind === 'struct'
        ? `${field.name}: ${JSON.stringify(shapeOfTable(resolveVmState(field.table), []))}`
        : field.name,
    );
  const subsections = state.subsections
    .filter((part) => only.some(({ vmsd_name }) => vmsd_name === part.name))
    .map((part) => shapeOfTable(part, []));
  return shape(state.name, state.version, fields, subsections);
}

function shapeOfDescription(described: Described): object {
  const plain = (name: string) => (name.startsWith('channels[') ? name : name.replace(/\[\d+\]$/, ''));
  const fields = described.fields.map(({ name, struct }) =>
    struct === undefined ? plain(name) : `${plain(name)}: ${JSON.stringify(shapeOfDescription(struct))}`,
  );
  return shape(described.vmsd_name, described.version, fields, (described.subsections ?? []).map(shapeOfDescription));
}

for (const entry of DEVICES) {
  const { descriptor } = entry.type;
  describe(`${descriptor.name} (${entry.regions[0]?.[2]?.toString(16) ?? 'no default base'})`, () => {
    it('has the regions and the section that a machine expects', () => {
      const { dev, regions } = make(entry);
      expect(
        regions.map(({ space, size, defaultBase }) => [space, size, defaultBase].filter((x) => x !== undefined)),
      ).toEqual(entry.regions);
      const table = isVmStateTable(descriptor.vmstate) ? (descriptor.vmstate as VmStateTable<object>) : undefined;
      expect(table?.name).toBe(entry.section);
      if (table !== undefined) expect(descriptor.sectionId?.(dev) ?? descriptor.name).toBe(entry.section);
    });

    if (entry.section !== undefined) {
      const described = goldenDescription(entry.section);
      it.skipIf(described === undefined)('is described as QEMU describes it (needs ../shared/golden)', () => {
        const table = resolveVmState(descriptor.vmstate as VmStateTable<object>);
        expect(shapeOfTable(table, described!.subsections ?? [])).toEqual(shapeOfDescription(described!));
      });
    }

    it('resets to the same state from any state, and that state travels', () => {
      const { dev, regions } = make(entry);
      reset(entry.type, dev);
      if (!isVmStateTable(descriptor.vmstate)) return;
      const table = descriptor.vmstate as VmStateTable<object>;
      const fresh = saveState(table, dev);
      for (const region of regions) for (let at = 0; at < region.size && at < 16; at++) region.write(at, 0x11, 1);
      reset(entry.type, dev);
      // What a reset leaves alone on purpose: the clock's index and RAM, as its battery does.
      if (entry.section !== 'mc146818rtc') expect(saveState(table, dev)).toEqual(fresh);
      const { dev: copy } = make(entry);
      loadState(table, copy, fresh);
      expect(saveState(table, copy)).toEqual(fresh);
    });

    it('answers every access of every width', () => {
      const { dev, regions } = make(entry);
      reset(entry.type, dev);
      for (const region of regions) {
        for (const size of [1, 2, 4]) {
          for (let at = 0; at + size <= Math.min(region.size, 0x100); at++) {
            region.write(at, 0xffffffff, size);
            const value = region.read(at, size);
            expect(value).toBeGreaterThanOrEqual(0);
            expect(value).toBeLessThan(2 ** 32);
          }
        }
      }
      descriptor.unrealize?.(dev);
    });
  });
}

it('ends the emulator with an odd code', () => {
  const { regions } = make(DEVICES.find(({ type }) => type === platform.isaDebugExit)!);
  exits.length = 0;
  regions[0]!.write(0, 0x10, 1);
  expect(exits).toEqual([0x21]);
});

it('prints the bytes of the debug console port and answers its presence', () => {
  const { regions } = make(DEVICES.find(({ type }) => type === platform.isaDebugcon)!);
  char.sent.length = 0;
  regions[0]!.write(0, 0x41, 1);
  expect(char.sent).toEqual([0x41]);
  expect(regions[0]!.read(0, 1)).toBe(0xe9);
});

it('refuses properties that no chip has', () => {
  expect(() => platform.ioapic.descriptor.create({ version: 3 }, rig.bus, rig.clock, rig.hooks)).toThrow(RangeError);
  expect(() => platform.apic.descriptor.create({ index: 300 }, rig.cpus[0], rig.bus, rig.clock, rig.hooks)).toThrow(
    /254/,
  );
});
