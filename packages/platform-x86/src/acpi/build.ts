import { checksum } from './bytes.ts';
import type { AcpiBlobs, AcpiConfig } from './config.ts';
import { dsdtBody } from './dsdt.ts';
import { decodeLoader, encodeLoader, type LoaderCommand, RSDP_FILE, TABLES_FILE } from './loader.ts';
import {
  CHECKSUM_OFFSET,
  FADT_DSDT,
  FADT_X_DSDT,
  fadt,
  HEADER_SIZE,
  madt,
  RSDP_CHECKSUM,
  RSDP_EXTENDED_CHECKSUM,
  RSDP_SIZE,
  RSDP_V1_SIZE,
  RSDP_XSDT,
  rsdp,
  table,
  xsdt,
} from './tables.ts';

function tableChecksum(start: number, length: number): LoaderCommand {
  return { kind: 'checksum', file: TABLES_FILE, offset: start + CHECKSUM_OFFSET, start, length };
}

function tablePointer(offset: number, size: 4 | 8): LoaderCommand {
  return { kind: 'pointer', file: TABLES_FILE, offset, size, target: TABLES_FILE };
}

/** Makes the blobs. Their bytes and the order of the script's commands are QEMU's. */
export function buildAcpi(config: AcpiConfig): AcpiBlobs {
  const dsdt = table('DSDT', 2, dsdtBody(config));
  const fadtAt = dsdt.length;
  const fadtBytes = fadt(config);
  const madtAt = fadtAt + fadtBytes.length;
  const madtBytes = madt(config);
  const xsdtAt = madtAt + madtBytes.length;
  const xsdtBytes = xsdt([fadtAt, madtAt]);
  const commands: LoaderCommand[] = [
    { kind: 'allocate', file: RSDP_FILE, align: 16, low: true },
    { kind: 'allocate', file: TABLES_FILE, align: 64, low: false },
    tableChecksum(0, dsdt.length),
    tablePointer(fadtAt + FADT_DSDT, 4),
    tablePointer(fadtAt + FADT_X_DSDT, 8),
    tableChecksum(fadtAt, fadtBytes.length),
    tableChecksum(madtAt, madtBytes.length),
    tablePointer(xsdtAt + HEADER_SIZE, 8),
    tablePointer(xsdtAt + HEADER_SIZE + 8, 8),
    tableChecksum(xsdtAt, xsdtBytes.length),
    { kind: 'checksum', file: RSDP_FILE, offset: RSDP_CHECKSUM, start: 0, length: RSDP_V1_SIZE },
    { kind: 'pointer', file: RSDP_FILE, offset: RSDP_XSDT, size: 8, target: TABLES_FILE },
    { kind: 'checksum', file: RSDP_FILE, offset: RSDP_EXTENDED_CHECKSUM, start: 0, length: RSDP_SIZE },
  ];
  return {
    rsdp: Uint8Array.from(rsdp(xsdtAt)),
    tables: Uint8Array.from([...dsdt, ...fadtBytes, ...madtBytes, ...xsdtBytes]),
    loader: encodeLoader(commands),
  };
}

/**
 * Does what firmware would do with the blobs: copies that point at each other with
 * addresses and have right checksums, for a guest that is started without firmware.
 *
 * @param at Guest-physical addresses, below 4 GiB: tables 64-byte, RSDP 16-byte aligned.
 * @throws RangeError when the script does not fit the blobs.
 */
export function placeAcpi(
  blobs: AcpiBlobs,
  at: { readonly tablesAt: number; readonly rsdpAt: number },
): { tables: Uint8Array; rsdp: Uint8Array } {
  const files = new Map([
    [TABLES_FILE, { bytes: blobs.tables.slice(), address: at.tablesAt }],
    [RSDP_FILE, { bytes: blobs.rsdp.slice(), address: at.rsdpAt }],
  ]);
  const find = (name: string) => {
    const file = files.get(name);
    if (file === undefined) throw new RangeError(`table-loader names a file '${name}' that does not exist`);
    return file;
  };
  for (const command of decodeLoader(blobs.loader)) {
    if (command.kind === 'allocate') continue;
    const { bytes } = find(command.file);
    if (command.kind === 'pointer') {
      const view = new DataView(bytes.buffer, command.offset, command.size);
      const { address } = find(command.target);
      if (command.size === 4) view.setUint32(0, view.getUint32(0, true) + address, true);
      else view.setBigUint64(0, view.getBigUint64(0, true) + BigInt(address), true);
    } else {
      bytes[command.offset] = 0;
      bytes[command.offset] = checksum(bytes.subarray(command.start, command.start + command.length));
    }
  }
  return { tables: find(TABLES_FILE).bytes, rsdp: find(RSDP_FILE).bytes };
}
