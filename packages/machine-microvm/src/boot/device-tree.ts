import { MICROVM_GSI, MICROVM_MAP, MICROVM_PORTS } from '../memory-map.ts';

/** Property values: text, 32-bit cells, or nothing. */
type FdtValue = string | readonly number[] | null;

/** A node of a device tree. */
export interface FdtNode {
  readonly name: string;
  readonly properties: Readonly<Record<string, FdtValue>>;
  readonly children?: readonly FdtNode[];
}

const FDT_MAGIC = 0xd00d_feed;
const BEGIN_NODE = 1;
const END_NODE = 2;
const PROP = 3;
const END = 9;
const HEADER = 40;
/** The blob's size under QEMU, most of it free space for firmware that adds nodes. */
const FDT_SIZE = 1 << 20;

/**
 * Flattens a device tree (Devicetree specification v0.4 §5): header, empty reservation map, structure and strings.
 *
 * @param size Size of the blob; the rest is free space.
 */
export function flattenTree(root: FdtNode, size: number = FDT_SIZE): Uint8Array {
  const words: number[] = [];
  const strings: number[] = [];
  const names = new Map<string, number>();
  const pushText = (text: string) => pushBytes([...new TextEncoder().encode(text), 0]);
  const pushBytes = (bytes: readonly number[]) => {
    for (let i = 0; i < bytes.length; i += 4) {
      words.push(
        (((bytes[i] ?? 0) << 24) | ((bytes[i + 1] ?? 0) << 16) | ((bytes[i + 2] ?? 0) << 8) | (bytes[i + 3] ?? 0)) >>>
          0,
      );
    }
  };
  const nameOffset = (name: string): number => {
    const known = names.get(name);
    if (known !== undefined) return known;
    const offset = strings.length;
    names.set(name, offset);
    strings.push(...new TextEncoder().encode(name), 0);
    return offset;
  };
  const visit = (node: FdtNode): void => {
    words.push(BEGIN_NODE);
    pushText(node.name);
    for (const [name, value] of Object.entries(node.properties)) {
      const length =
        value === null ? 0 : typeof value === 'string' ? new TextEncoder().encode(value).length + 1 : value.length * 4;
      words.push(PROP, length, nameOffset(name));
      if (typeof value === 'string') pushText(value);
      else if (value !== null) words.push(...value);
    }
    for (const child of node.children ?? []) visit(child);
    words.push(END_NODE);
  };
  visit(root);
  words.push(END);
  const structure = HEADER + 16;
  const stringsAt = structure + words.length * 4;
  if (stringsAt + strings.length > size)
    throw new RangeError(`a device tree of ${stringsAt + strings.length} bytes does not fit ${size}`);
  const blob = new Uint8Array(size);
  const view = new DataView(blob.buffer);
  const header = [FDT_MAGIC, size, structure, stringsAt, HEADER, 17, 16, 0, strings.length, words.length * 4];
  for (const [i, word] of header.entries()) view.setUint32(i * 4, word);
  for (const [i, word] of words.entries()) view.setUint32(structure + i * 4, word);
  blob.set(strings, stringsAt);
  return blob;
}

/** What the tree describes. */
export interface MicrovmTree {
  readonly ioapics: number;
  readonly serial: boolean;
  readonly rtc: boolean;
  /** Populated transports. */
  readonly virtio: readonly { readonly address: number; readonly gsi: number }[];
}

/**
 * The device tree of `etc/fdt`: what edk2 needs to find the transports. It leaves out CPUs and memory, which firmware
 * learns elsewhere (QEMU hw/i386/microvm-dt.c, v10.0).
 */
export function microvmTree({ ioapics, serial, rtc, virtio }: MicrovmTree): FdtNode {
  const reg = (base: number, size: number) => [0, base, 0, size];
  const interrupt = (gsi: number) => ({
    'interrupt-parent': [gsi >= MICROVM_GSI.ioapicPins ? 2 : 1],
    interrupts: [gsi % MICROVM_GSI.ioapicPins, 0],
  });
  const ioapic = (index: number, base: number): FdtNode => ({
    name: `ioapic${index}@${base.toString(16)}`,
    properties: {
      compatible: 'intel,ce4100-ioapic',
      'interrupt-controller': null,
      '#interrupt-cells': [2],
      '#address-cells': [2],
      reg: reg(base, 0x1000),
      phandle: [index],
      'linux,phandle': [index],
    },
  });
  const serialName = `serial@${MICROVM_PORTS.serial.toString(16)}`;
  const children: FdtNode[] = [
    { name: 'chosen', properties: serial ? { 'stdout-path': `/${serialName}` } : {} },
    ioapic(1, MICROVM_MAP.ioapic),
    ...(ioapics > 1 ? [ioapic(2, MICROVM_MAP.ioapic2)] : []),
    ...virtio.map(
      ({ address, gsi }): FdtNode => ({
        name: `virtio_mmio@${address.toString(16)}`,
        properties: {
          compatible: 'virtio,mmio',
          reg: reg(address, MICROVM_MAP.virtioMmioSize),
          'dma-coherent': null,
          ...interrupt(gsi),
        },
      }),
    ),
  ];
  if (serial)
    children.push({
      name: serialName,
      properties: { compatible: 'ns16550', reg: reg(MICROVM_PORTS.serial, 8), ...interrupt(MICROVM_GSI.serial) },
    });
  if (rtc)
    children.push({
      name: `rtc@${MICROVM_PORTS.rtc.toString(16)}`,
      properties: { compatible: 'motorola,mc146818', reg: reg(MICROVM_PORTS.rtc, 8), ...interrupt(MICROVM_GSI.rtc) },
    });
  return { name: '', properties: { compatible: 'linux,microvm', '#address-cells': [2], '#size-cells': [2] }, children };
}
