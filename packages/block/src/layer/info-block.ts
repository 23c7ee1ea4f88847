import type { BlockLayer } from './block-layer.ts';
import { type BlockDeviceInfo, describeDisks, describeNodes, type ImageInfo } from './queries.ts';

/** What `info block` is to show. */
export interface InfoBlockOptions {
  /** `-n`: every node, instead of drives and devices. */
  readonly nodes?: boolean;
  /** `-v`: more of each image. */
  readonly verbose?: boolean;
  /** Only the drive or node of this name. */
  readonly name?: string | undefined;
}

/** Text of `info block`, as QEMU prints it. */
export function infoBlock(layer: BlockLayer, { nodes = false, verbose = false, name }: InfoBlockOptions = {}): string {
  const entries = nodes
    ? describeNodes(layer)
        .filter((node) => name === undefined || node['node-name'] === name)
        .map((node) => ({ title: node['node-name'], lines: [] as string[], node }))
    : describeDisks(layer)
        .filter(({ device, qdev }) => name === undefined || device === name || qdev === name)
        .map(({ device, qdev, removable, inserted: node }) => ({
          title: device === '' ? node['node-name'] : `${device} (${node['node-name']})`,
          lines: [
            ...(qdev === undefined ? [] : [`Attached to:      ${qdev}`]),
            ...(removable ? ['Removable device: not locked, tray closed'] : []),
          ],
          node,
        }));
  return entries
    .map(({ title, lines, node }) => {
      const head = `${title}: ${node.file} (${node.drv}${node.ro ? ', read-only' : ''})`;
      const more = [...lines, ...nodeLines(node)].map((line) => `    ${line}`);
      return [head, ...more, ...(verbose ? imageLines(node.image) : [])].map((line) => `${line}\n`).join('');
    })
    .join('\n');
}

function nodeLines({ cache, detect_zeroes: detectZeroes, active }: BlockDeviceInfo): readonly string[] {
  const mode = ['writeback', ...(cache['no-flush'] ? ['ignore flushes'] : [])].join(', ');
  return [
    `Cache mode:       ${mode}`,
    ...(detectZeroes === 'off' ? [] : [`Detect zeroes:    ${detectZeroes}`]),
    // QEMU does not show it; after a migration it is what people look for.
    ...(active ? [] : ['Inactive:         owned by another process']),
  ];
}

function imageLines(image: ImageInfo): readonly string[] {
  return [
    '',
    'Images:',
    `image: ${image.filename}`,
    `file format: ${image.format}`,
    `virtual size: ${sizeText(image['virtual-size'])} (${image['virtual-size']} bytes)`,
    `disk size: ${image['actual-size'] === undefined ? 'unavailable' : sizeText(image['actual-size'])}`,
    'Block limits:',
    `    request alignment: ${image.limits['request-alignment']}`,
  ];
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];

function sizeText(bytes: number): string {
  let [value, unit] = [bytes, 0];
  while (value >= 1000 && unit < UNITS.length - 1) [value, unit] = [value / 1024, unit + 1];
  return `${Number(value.toPrecision(3))} ${UNITS[unit]}`;
}
