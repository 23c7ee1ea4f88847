import {
  type ByteSource,
  bytesText,
  type Leaf,
  leavesOf,
  meaningOf,
  type StreamItem,
  valueText,
} from '@sterna/migration';

/** A part of a stream for JSON: integers beyond 2^53 as text, no contents of pages. */
export function plainItem(item: StreamItem, source: ByteSource): object {
  switch (item.type) {
    case 'command':
      return { ...item, payload: bytesText(item.payload, Number.POSITIVE_INFINITY) };
    case 'configuration':
      return {
        ...item,
        parts: item.parts.map(({ name, version, offset, meaning }) => ({ name, version, offset, meaning })),
      };
    case 'vmdescription':
      return { ...item, description: item.description !== undefined };
    case 'section': {
      const { body, ...rest } = item;
      if (body.kind === 'fields')
        return { ...rest, by: body.by, fields: [...leavesOf(item)].map((leaf) => plainLeaf(leaf, source)) };
      if (body.kind === 'bytes') return { ...rest, bytes: true };
      return { ...rest, ram: { ...body.summary, byBlock: Object.fromEntries(body.summary.byBlock) } };
    }
    default:
      return item;
  }
}

/** A field for JSON. */
export function plainLeaf(leaf: Leaf, source: ByteSource): object {
  const { path, type, offset, size, value } = leaf;
  const meaning = meaningOf(leaf);
  return {
    path,
    type,
    offset,
    size,
    bytes: bytesText(source.read(offset, size), Number.POSITIVE_INFINITY),
    value: value instanceof Uint8Array ? undefined : valueText(value),
    ...(meaning === undefined ? {} : { meaning }),
  };
}
