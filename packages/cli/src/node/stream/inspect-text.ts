import {
  type ByteSource,
  bytesText,
  damageText,
  type Leaf,
  leavesOf,
  meaningOf,
  type RamSummary,
  type SectionItem,
  type StreamItem,
  valueText,
} from '@sterna/migration';
import { formatBytes } from '../migration-progress.ts';

/** Bytes of a body that nobody describes, as far as they are shown. */
const SHOWN_BYTES = 64;

/** The lines of one part of a stream. */
export function itemLines(item: StreamItem, source: ByteSource): string[] {
  const at = offsetText(item.offset);
  switch (item.type) {
    case 'header':
      return [`${at} header, version ${item.version}`];
    case 'configuration':
      return [
        `${at} configuration, machine '${item.machine}'`,
        ...item.parts.map(({ offset, name, meaning }) => `  ${offsetText(offset)} ${name} = ${meaning}`),
      ];
    case 'command':
      return [`${at} command ${item.name}${item.meaning === '' ? '' : `: ${item.meaning}`}`];
    case 'section':
      return sectionLines(item, source);
    case 'eof':
      return [`${at} end of sections`];
    case 'vmdescription':
      return [
        `${at} description, ${item.length} bytes${item.description === undefined ? '' : `, ${item.description.devices.length} devices`}`,
      ];
    case 'trailing':
      return [`${at} ${item.length} bytes behind the end`];
    case 'warning':
      return [`${at} warning: ${item.message}`];
    case 'damage':
      return [`${at} DAMAGED: ${damageText(item)}`];
  }
}

/** A field with its place, bytes, value and meaning. */
export function leafLine(leaf: Leaf, source: ByteSource, name: string = leaf.path): string {
  const meaning = meaningOf(leaf);
  const bytes = bytesText(source.read(leaf.offset, leaf.size), 16);
  const value = leaf.value instanceof Uint8Array ? `${leaf.size} bytes` : valueText(leaf.value);
  return `${offsetText(leaf.offset)} ${bytes.padEnd(16)} ${name} = ${value}${meaning === undefined ? '' : `  (${meaning})`}`;
}

function sectionLines(item: SectionItem, source: ByteSource): string[] {
  const { kind, idstr, instance, id, version, body, bodyLength } = item;
  const head = `${offsetText(item.offset)} section '${idstr}' instance ${instance}, ${kind}, id ${id}, version ${version}, ${bodyLength} bytes`;
  if (body.kind === 'ram') return [`${head}: ${ramText(body.summary)}`, ...blockLines(body.summary)];
  if (body.kind === 'bytes') {
    const bytes = source.read(item.bodyOffset, Math.min(bodyLength, SHOWN_BYTES + 1));
    return [
      `${head}, not described`,
      ...(bodyLength === 0
        ? []
        : [
            `  ${offsetText(item.bodyOffset)} ${bytesText(bytes, SHOWN_BYTES).replace(/\(.*/, `(${bodyLength} bytes)`)}`,
          ]),
    ];
  }
  const prefix = `${idstr}/${instance}/`.length;
  const by = body.by === 'tables' ? ', by the tables of this build' : '';
  return [`${head}${by}`, ...[...leavesOf(item)].map((leaf) => `  ${leafLine(leaf, source, leaf.path.slice(prefix))}`)];
}

/** What a section of RAM holds, in words. */
export function ramText({ blocks, zero, normal, xbzrle, xbzrleBytes, multifdFlushes }: RamSummary): string {
  const total = blocks.reduce((sum, { length }) => sum + length, 0);
  const parts = [
    ...(blocks.length === 0 ? [] : [`${blocks.length} blocks, ${formatBytes(total)}`]),
    ...(normal === 0 ? [] : [`${normal} pages`]),
    ...(zero === 0 ? [] : [`${zero} zero pages`]),
    ...(xbzrle === 0 ? [] : [`${xbzrle} encoded pages in ${formatBytes(xbzrleBytes)}`]),
    ...(multifdFlushes.length === 0
      ? []
      : [`${multifdFlushes.length} waits for the other channels (their pages are not in this stream)`]),
  ];
  return parts.length === 0 ? 'no pages' : parts.join(', ');
}

function blockLines({ blocks, byBlock }: RamSummary): string[] {
  const list = blocks.map(({ offset, name, length, address, mapped }) => {
    const where = address === undefined ? '' : `, at 0x${address.toString(16)}`;
    if (mapped === undefined) return `  ${offsetText(offset)} block ${name}, ${length} bytes${where}`;
    const { present, pageSize, bitmapOffset, bitmapLength, pagesOffset } = mapped;
    return (
      `  ${offsetText(offset)} block ${name}, ${length} bytes${where}: ${present} of ${length / pageSize} pages, ` +
      `bitmap at 0x${bitmapOffset.toString(16)} (${bitmapLength} bytes), pages at 0x${pagesOffset.toString(16)}`
    );
  });
  if (byBlock.size < 2) return list;
  return [...list, ...[...byBlock].map(([name, records]) => `            ${name}: ${records} records`)];
}

/** An offset as it stands before every line. */
export function offsetText(offset: number): string {
  return `@${offset.toString(16).padStart(8, '0')}`;
}
