import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { integer, named, packageOf, scope } from '../../src/acpi/aml.ts';
import { buildAcpi, placeAcpi } from '../../src/acpi/build.ts';
import { checksum } from '../../src/acpi/bytes.ts';
import type { AcpiConfig } from '../../src/acpi/config.ts';
import { e820Table, ramE820 } from '../../src/acpi/e820.ts';
import { decodeLoader, encodeLoader } from '../../src/acpi/loader.ts';
import { goldenRamPage } from '../support/golden-ram.ts';

const BASE: AcpiConfig = {
  cpuCount: 1,
  pic: true,
  ioapic2: true,
  rtc: true,
  uart: true,
  virtio: [],
  gedGsi: 9,
};
const transports = [19, 20, 21, 22, 23].map((index) => ({
  index,
  address: 0xfeb00000 + index * 0x200,
  gsi: 24 + index,
}));

const RECORDED: readonly { readonly stream: string; readonly config: Partial<AcpiConfig> }[] = [
  { stream: 'v72-run', config: { madtRevision: 1 } },
  { stream: 'v100-run', config: {} },
  { stream: 'v111-run', config: { sharedUartIrq: true } },
  { stream: 'v72-virtio-idle', config: { madtRevision: 1, virtio: transports, uart: false } },
  { stream: 'v100-virtio-idle', config: { virtio: transports, uart: false } },
  { stream: 'v111-virtio-idle', config: { sharedUartIrq: true, virtio: transports, uart: false } },
];

describe('blobs', () => {
  for (const { stream, config } of RECORDED) {
    const skipped = goldenRamPage(stream, '/rom@etc/acpi/tables') === undefined;
    it.skipIf(skipped)(`are byte for byte those of the recording ${stream}`, () => {
      const blobs = buildAcpi({ ...BASE, ...config, uart: hasSerial(stream) });
      const page = (bytes: Uint8Array) => {
        const padded = new Uint8Array(4096);
        padded.set(bytes);
        return Buffer.from(padded).toString('hex');
      };
      const recorded = (file: string) => Buffer.from(goldenRamPage(stream, `/rom@${file}`)!).toString('hex');
      expect(page(blobs.tables)).toBe(recorded('etc/acpi/tables'));
      expect(page(blobs.loader)).toBe(recorded('etc/table-loader'));
      expect(page(blobs.rsdp)).toBe(recorded('etc/acpi/rsdp'));
    });
  }

  it('have the documented sizes', () => {
    const { rsdp, tables, loader } = buildAcpi(BASE);
    expect([rsdp.length, tables.length, loader.length]).toEqual([36, 738, 1664]);
  });

  it('leave out what the machine does not have', () => {
    const full = buildAcpi(BASE).tables;
    const bare = buildAcpi({ ...BASE, rtc: false, uart: false, pic: false, ioapic2: false }).tables;
    expect(full.length - bare.length).toBe(12 + 39 + 52);
    expect(Buffer.from(bare).includes('COM1')).toBe(false);
  });

  it('list every CPU', () => {
    const { tables } = buildAcpi({ ...BASE, cpuCount: 3, apicIds: [0, 2, 4] });
    expect(tables.length).toBe(738 + 16);
    expect(Buffer.from(tables).includes(Buffer.from([0, 8, 2, 4, 1, 0, 0, 0]))).toBe(true);
  });
});

describe('placement', () => {
  it('gives tables that point at each other with right checksums', () => {
    const tablesAt = 0xe0000;
    const { tables, rsdp } = placeAcpi(buildAcpi({ ...BASE, virtio: transports }), { tablesAt, rsdpAt: 0xf0000 });
    const view = new DataView(tables.buffer);
    expect(checksum(rsdp.subarray(0, 20))).toBe(0);
    expect(checksum(rsdp)).toBe(0);
    const tableAt = (address: number) => {
      const at = address - tablesAt;
      const bytes = tables.subarray(at, at + view.getUint32(at + 4, true));
      expect(checksum(bytes)).toBe(0);
      return { signature: Buffer.from(bytes.subarray(0, 4)).toString(), at };
    };
    const xsdt = tableAt(Number(new DataView(rsdp.buffer).getBigUint64(24, true)));
    expect(xsdt.signature).toBe('XSDT');
    const fadt = tableAt(Number(view.getBigUint64(xsdt.at + 36, true)));
    const madt = tableAt(Number(view.getBigUint64(xsdt.at + 44, true)));
    expect([fadt.signature, madt.signature]).toEqual(['FACP', 'APIC']);
    const dsdt = tableAt(Number(view.getBigUint64(fadt.at + 140, true)));
    expect(dsdt.signature).toBe('DSDT');
    expect(view.getUint32(fadt.at + 40, true)).toBe(tablesAt);
  });

  it('refuses a script that names unknown files or commands', () => {
    const blobs = buildAcpi(BASE);
    const stranger = encodeLoader([{ kind: 'checksum', file: 'etc/other', offset: 0, start: 0, length: 1 }]);
    expect(() => placeAcpi({ ...blobs, loader: stranger }, { tablesAt: 0, rsdpAt: 0 })).toThrow(/etc\/other/);
    expect(() => decodeLoader(new Uint8Array(128).fill(9))).toThrow(RangeError);
    expect(() => decodeLoader(new Uint8Array(100))).toThrow(RangeError);
  });
});

it('encodes package lengths of one, two and three bytes', () => {
  expect(scope('A', named('B', integer(0)))[1]).toBe(1 + 4 + 6);
  const two = scope('A', ...Array.from({ length: 20 }, () => named('B', integer(0))));
  expect(two.slice(1, 3)).toEqual([0x40 | (126 & 0xf), 126 >> 4]);
  const three = scope('A', ...Array.from({ length: 1000 }, () => named('B', integer(0))));
  expect(three.slice(1, 4)).toEqual([0x80 | (6007 & 0xf), (6007 >> 4) & 0xff, 6007 >> 12]);
  expect(packageOf(integer(0x12345), integer(0x123))).toEqual([0x12, 0x0a, 2, 0x0c, 0x45, 0x23, 1, 0, 0x0b, 0x23, 1]);
});

it('describes memory below and above 4 GiB', () => {
  const view = new DataView(ramE820(4 * 2 ** 30).buffer);
  expect(view.byteLength).toBe(40);
  expect([view.getBigUint64(8, true), view.getBigUint64(20, true), view.getBigUint64(28, true)]).toEqual([
    3n << 30n,
    1n << 32n,
    1n << 30n,
  ]);
  expect(e820Table([{ base: 0, length: 0x9fc00, type: 1 }]).length).toBe(20);
});

/** Streams with `-serial` have the UART; it is told from the recording's sections. */
function hasSerial(stream: string): boolean {
  const sidecar = new URL(`../../../../../shared/golden/${stream}.json`, import.meta.url);
  const { devices } = JSON.parse(readFileSync(sidecar, 'utf8')) as { devices: { name: string }[] };
  return devices.some((device) => device.name === 'serial');
}
