import { expect } from 'vitest';
import { type Info, NEVER, PatternPair, type PatternVm, SOON } from './pattern-pair.ts';
import { type Direction, onlyPeer, type Row, SELF } from './row.ts';

const MIB = 2 ** 20;

/** QAPI's XBZRLECacheStats. */
type CacheStats = Readonly<
  Record<'cache-size' | 'bytes' | 'pages' | 'cache-miss' | 'cache-miss-rate' | 'encoding-rate' | 'overflow', number>
>;

function stats(info: Info): CacheStats {
  return (info as { 'xbzrle-cache'?: CacheStats })['xbzrle-cache']!;
}

async function pagesEncoded(source: PatternVm, more: number): Promise<CacheStats> {
  const before = stats(await source.info()).pages;
  return stats(await source.until('encoded pages', (info) => stats(info).pages >= before + more));
}

/** Pages that are written all the time travel as their changes; meanwhile the cache gets another size. */
async function xbzrle(direction: Direction): Promise<void> {
  await using pair = await PatternPair.start({ ...direction, capabilities: ['xbzrle'] });
  const { source } = pair;
  await source.boot();
  await source.parameters({ ...NEVER, 'xbzrle-cache-size': 32 * MIB });
  await pair.begin(`unix:${pair.path('mig')}`);
  await pair.checkUnderWay();
  const first = stats(await source.info());
  expect(first).toMatchObject({ 'cache-size': 32 * MIB, pages: 0, bytes: 0 });
  // The second round finds the cache empty and fills it.
  await source.parameters({ 'max-bandwidth': 200_000_000 });
  const small = await pagesEncoded(source, 1000);
  expect(small['cache-miss']).toBeGreaterThan(0);
  // One byte of each page changes; whole pages are sent where another round has begun on them.
  expect(small.bytes / small.pages).toBeLessThan(100);
  await source.parameters({ 'xbzrle-cache-size': 128 * MIB });
  const large = await pagesEncoded(source, 20_000);
  expect(large['cache-size']).toBe(128 * MIB);
  expect((await source.status('active')).status).toBe('active');
  await source.until('rates', (info) => stats(info)['encoding-rate'] > 10);
  await source.parameters(SOON);
  await pair.finish();
}

/** QEMU's test of repeated pages. */
export const XBZRLE_ROWS: readonly Row[] = [
  {
    name: 'precopy/unix/xbzrle',
    proves: 'pages that were sent before travel as what has changed',
    note: 'with every figure of `query-migrate`; the cache grows meanwhile',
    directions: [SELF],
    longDirections: [...onlyPeer('qemu-7.2'), ...onlyPeer('qemu-new')],
    run: xbzrle,
  },
];
