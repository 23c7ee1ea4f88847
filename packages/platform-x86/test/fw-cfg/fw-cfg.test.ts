import { beforeEach, describe, expect, it } from 'vitest';
import { FwCfgDevice } from '../../src/fw-cfg/chip.ts';
import { FW_CFG } from '../../src/fw-cfg/keys.ts';
import type { AcpiSizes } from '../../src/fw-cfg/service.ts';
import { fwCfgState } from '../../src/fw-cfg/state.ts';
import { loadState, saveState } from '../support/codec.ts';
import { FakeDma, FakeLogger } from '../support/fakes.ts';
import { describeGolden } from '../support/golden.ts';

const [ERROR, READ, SKIP, SELECT, WRITE] = [1, 2, 4, 8, 16];
const REQUEST = 0x1000;
const BUFFER = 0x2000;

let dma: FakeDma;
let logger: FakeLogger;
let device: FwCfgDevice;

beforeEach(() => {
  dma = new FakeDma();
  logger = new FakeLogger();
  device = new FwCfgDevice(true, dma, logger);
});

const text = (bytes: Iterable<number>) => new TextDecoder().decode(Uint8Array.from(bytes));
const bytes = (value: string) => new TextEncoder().encode(value);

function readBytes(count: number): number[] {
  return Array.from({ length: count }, () => device.readByte());
}

function swap(value: number): number {
  return ((value << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;
}

/** Runs a DMA request and answers the control word that the guest finds. */
function request(control: number, length: number, address = BUFFER): number {
  dma.writeU32(REQUEST, swap(control));
  dma.writeU32(REQUEST + 4, swap(length));
  dma.writeU32(REQUEST + 8, 0);
  dma.writeU32(REQUEST + 12, swap(address));
  device.writeDma(0, 0, 4);
  device.writeDma(4, swap(REQUEST), 4);
  return swap(dma.readU32(REQUEST));
}

it('offers its signature and DMA', () => {
  expect(text(readBytes(4))).toBe('QEMU');
  device.select(FW_CFG.ID);
  expect(readBytes(4)).toEqual([3, 0, 0, 0]);
  expect(text(Array.from({ length: 8 }, (_, i) => device.readSignature(i)))).toBe('QEMU CFG');
});

it('reads zero behind the end and for unknown keys', () => {
  device.addU16(FW_CFG.NB_CPUS, 0x0102);
  device.select(FW_CFG.NB_CPUS);
  expect(readBytes(4)).toEqual([2, 1, 0, 0]);
  device.select(0x3f00);
  expect(device.curEntry).toBe(0xffff);
  expect(readBytes(2)).toEqual([0, 0]);
});

it('keeps architecture keys apart', () => {
  device.addU32(FW_CFG.IRQ0_OVERRIDE, 1);
  device.select(FW_CFG.IRQ0_OVERRIDE);
  expect(device.readByte()).toBe(1);
  device.select(0x0002);
  expect(device.readByte()).toBe(0);
});

it('lists files by name, whatever the order of adding', () => {
  device.addFile('etc/z', bytes('zz'));
  device.addFile('bootorder', bytes('b'));
  device.addFile('etc/a', bytes('aaa'));
  device.select(FW_CFG.FILE_DIR);
  const directory = Uint8Array.from(readBytes(4 + 3 * 64));
  const view = new DataView(directory.buffer);
  expect(view.getUint32(0)).toBe(3);
  const entries = [0, 1, 2].map((i) => ({
    size: view.getUint32(4 + i * 64),
    key: view.getUint16(8 + i * 64),
    name: text(directory.subarray(12 + i * 64, 4 + (i + 1) * 64)).replace(/\0+$/, ''),
  }));
  expect(entries).toEqual([
    { size: 1, key: 0x20, name: 'bootorder' },
    { size: 3, key: 0x21, name: 'etc/a' },
    { size: 2, key: 0x22, name: 'etc/z' },
  ]);
  device.select(0x22);
  expect(text(readBytes(2))).toBe('zz');
});

it('asks for a file when it is selected, and shows new bytes and sizes', () => {
  let made = 0;
  const file = device.addFile('etc/late', new Uint8Array(0), { onSelect: () => made++ });
  device.select(0x20);
  expect(made).toBe(1);
  file.setBytes(bytes('now'));
  device.select(0x20);
  expect(text(readBytes(3))).toBe('now');
  expect(device.file('etc/late')?.bytes.length).toBe(3);
});

it('refuses names that are taken or too long, and too many files', () => {
  device.addFile('a', bytes(''));
  expect(() => device.addFile('a', bytes(''))).toThrow(RangeError);
  expect(() => device.addFile('x'.repeat(56), bytes(''))).toThrow(/55 bytes/);
  for (let i = 1; i < 32; i++) device.addFile(`f${i}`, bytes(''));
  expect(() => device.addFile('one more', bytes(''))).toThrow(/slot/);
});

describe('DMA', () => {
  it('selects and reads in one request, padding with zeros', () => {
    device.addBytes(FW_CFG.CMDLINE_DATA, bytes('console'));
    dma.ram.fill(0xff, BUFFER, BUFFER + 10000);
    expect(request((FW_CFG.CMDLINE_DATA << 16) | SELECT | READ, 9000)).toBe(0);
    expect(text(dma.ram.subarray(BUFFER, BUFFER + 7))).toBe('console');
    expect(dma.ram.subarray(BUFFER + 7, BUFFER + 9000).every((byte) => byte === 0)).toBe(true);
    expect(dma.ram[BUFFER + 9000]).toBe(0xff);
  });

  it('goes on where the last read ended, and skips', () => {
    device.addBytes(FW_CFG.CMDLINE_DATA, bytes('0123456789'));
    request((FW_CFG.CMDLINE_DATA << 16) | SELECT | READ, 2);
    request(SKIP, 3);
    request(READ, 2);
    expect(text(dma.ram.subarray(BUFFER, BUFFER + 2))).toBe('56');
  });

  it('writes only files that allow it', () => {
    const written: number[] = [];
    const file = device.addFile('etc/rw', new Uint8Array(4), {
      onWrite: (offset, length) => written.push(offset, length),
    });
    dma.ram.set([9, 8, 7, 6], BUFFER);
    expect(request((0x20 << 16) | SELECT | WRITE, 4)).toBe(0);
    expect([...file.bytes]).toEqual([9, 8, 7, 6]);
    expect(written).toEqual([0, 4]);
    expect(request((0x20 << 16) | SELECT | WRITE, 5)).toBe(ERROR);
    expect(request((FW_CFG.SIGNATURE << 16) | SELECT | WRITE, 4)).toBe(ERROR);
  });

  it('reads zeros from a key that does not exist', () => {
    dma.ram.fill(0xff, BUFFER, BUFFER + 4);
    expect(request((0x3000 << 16) | SELECT | READ, 4)).toBe(0);
    expect(dma.readU32(BUFFER)).toBe(0);
  });

  it('reports odd accesses and addresses as guest errors', () => {
    device.writeDma(2, 0, 2);
    device.writeDma(0, 0xffffffff, 4);
    device.writeDma(4, 0, 4);
    expect(logger.errors.length).toBe(2);
  });
});

describe('state', () => {
  const noAcpi = 'acpi=off';
  describeGolden('fw_cfg', ({ payload, version, value }) => {
    const sizes = value['>fw_cfg/acpi_mr'] as Record<string, number> | undefined;
    let resized: AcpiSizes | string = noAcpi;
    if (sizes !== undefined) {
      device.attachAcpi({
        sizes: () => (resized === noAcpi ? { tables: 0, linker: 0, rsdp: 0 } : (resized as AcpiSizes)),
        resize: (wanted) => {
          resized = wanted;
        },
      });
    }
    loadState(fwCfgState, device, payload, version);
    expect(saveState(fwCfgState, device)).toEqual(payload);
    expect(resized).toEqual(
      sizes === undefined
        ? noAcpi
        : { tables: sizes['table_mr_size'], linker: sizes['linker_mr_size'], rsdp: sizes['rsdp_mr_size'] },
    );
  });

  it('refuses ACPI sizes on a machine without ACPI', () => {
    device.attachAcpi({ sizes: () => ({ tables: 1, linker: 2, rsdp: 3 }), resize: () => {} });
    const payload = saveState(fwCfgState, device);
    const plain = new FwCfgDevice(true, dma, logger);
    expect(() => loadState(fwCfgState, plain, payload)).toThrow(/no|none/);
  });
});
