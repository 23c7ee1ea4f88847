import { bytesText, type StreamDifference } from '@sterna/migration';

/** A comparison for people. */
export function diffLines(diff: StreamDifference, names: { readonly a: string; readonly b: string }): string[] {
  const lines = diff.damage.map(({ stream, message }) => `${names[stream]} is damaged: ${message}`);
  for (const { path, a, b } of diff.fields) lines.push(`${path}: ${a ?? '(absent)'} -> ${b ?? '(absent)'}`);
  for (const { block, address, pages, at, a, b } of diff.pages) {
    const bytes = (value: Uint8Array | undefined) => (value === undefined ? '(not sent)' : bytesText(value));
    lines.push(
      `ram/0/${block}/0x${address.toString(16)}: ${pages} ${pages === 1 ? 'page' : 'pages'}, at 0x${at.toString(16)} ${bytes(a)} -> ${bytes(b)}`,
    );
  }
  for (const side of diff.withoutPages) lines.push(`${names[side]} has no pages of RAM: they were not compared`);
  if (diff.pageCount > 0) lines.push(`${diff.pageCount} ${diff.pageCount === 1 ? 'page differs' : 'pages differ'}`);
  if (diff.ignored > 0) lines.push(`${diff.ignored} differences were ignored`);
  return lines;
}

/** A comparison for JSON. */
export function plainDiff(diff: StreamDifference): object {
  const bytes = (value: Uint8Array | undefined) => (value === undefined ? null : bytesText(value));
  return { ...diff, pages: diff.pages.map((page) => ({ ...page, a: bytes(page.a), b: bytes(page.b) })) };
}
