import type { BlockNode } from '../graph/block-node.ts';
import type { BlockLayer } from './block-layer.ts';

/** QAPI's ImageInfo, as far as drivers here know it. */
export interface ImageInfo {
  readonly filename: string;
  readonly format: string;
  readonly 'virtual-size': number;
  readonly 'actual-size'?: number;
  readonly 'dirty-flag': boolean;
  readonly 'format-specific'?: { readonly type: string; readonly data: Readonly<Record<string, unknown>> };
  readonly limits: {
    readonly 'request-alignment': number;
    readonly 'max-transfer'?: number;
    readonly 'max-iov': number;
    readonly 'min-mem-alignment': number;
    readonly 'opt-mem-alignment': number;
  };
}

/** QAPI's BlockDeviceInfo: one node. */
export interface BlockDeviceInfo {
  readonly file: string;
  readonly 'node-name': string;
  readonly ro: boolean;
  readonly drv: string;
  readonly backing_file_depth: number;
  readonly active: boolean;
  readonly encrypted: boolean;
  readonly detect_zeroes: 'off' | 'on' | 'unmap';
  readonly bps: number;
  readonly bps_rd: number;
  readonly bps_wr: number;
  readonly iops: number;
  readonly iops_rd: number;
  readonly iops_wr: number;
  readonly image: ImageInfo;
  readonly cache: { readonly writeback: boolean; readonly direct: boolean; readonly 'no-flush': boolean };
  readonly write_threshold: number;
  readonly children: readonly { readonly child: string; readonly 'node-name': string }[];
}

/** QAPI's BlockInfo: one drive or disk of a device. */
export interface BlockInfo {
  readonly device: string;
  readonly qdev?: string;
  readonly type: 'unknown';
  readonly removable: boolean;
  readonly locked: boolean;
  readonly 'io-status'?: 'ok' | 'failed' | 'nospace';
  readonly inserted: BlockDeviceInfo;
}

/** Buffers are the host's own, and any will do; the figures are those QEMU has on Linux. */
const MEMORY_LIMITS = { 'max-iov': 1024, 'min-mem-alignment': 512, 'opt-mem-alignment': 4096 } as const;

/** What `query-named-block-nodes` tells of a node. */
export function describeNode(node: BlockNode): BlockDeviceInfo {
  const { filename, driverName, options, driver } = node;
  const { actualSize, formatSpecific } = driver.info();
  const { maxTransfer } = driver;
  return {
    file: filename,
    'node-name': node.nodeName,
    ro: node.readOnly,
    drv: driverName,
    backing_file_depth: 0,
    active: node.active,
    encrypted: false,
    detect_zeroes: options.detectZeroes,
    bps: 0,
    bps_rd: 0,
    bps_wr: 0,
    iops: 0,
    iops_rd: 0,
    iops_wr: 0,
    image: {
      filename,
      format: driverName,
      'virtual-size': driver.length,
      ...(actualSize === undefined ? {} : { 'actual-size': actualSize }),
      'dirty-flag': false,
      ...(formatSpecific === undefined ? {} : { 'format-specific': { type: driverName, data: formatSpecific } }),
      limits: {
        'request-alignment': node.io.alignment,
        ...(maxTransfer === undefined ? {} : { 'max-transfer': maxTransfer }),
        ...MEMORY_LIMITS,
      },
    },
    cache: { writeback: true, direct: false, 'no-flush': options.noFlush },
    write_threshold: 0,
    children: [...node.children.values()].map(({ name, nodeName }) => ({ child: name, 'node-name': nodeName })),
  };
}

/** `query-named-block-nodes`, the newest first. */
export function describeNodes(layer: BlockLayer): readonly BlockDeviceInfo[] {
  return layer.graph.nodes.toReversed().map(describeNode);
}

/** `query-block`. */
export function describeDisks(layer: BlockLayer): readonly BlockInfo[] {
  return layer.backends.map(({ settings, device, ioStatus, root }) => ({
    ...(device === undefined ? {} : { 'io-status': ioStatus, qdev: device }),
    device: settings.name,
    type: 'unknown',
    // Without a device nobody knows what it would be.
    removable: device === undefined,
    locked: false,
    inserted: describeNode(root),
  }));
}
