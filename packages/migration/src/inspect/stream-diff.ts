/** What two streams say differently: sections, fields, and pages of RAM as they are after loading. */
import { StreamError } from '../errors.ts';
import { PAGE } from '../ram/blocks.ts';
import { leavesOf, pathPattern, valueText } from './fields.ts';
import type { StreamItem } from './items.ts';
import { RamImage } from './ram-image.ts';
import type { ByteSource } from './source.ts';
import { damageText, isDamage, type WalkOptions, walkStream } from './walk.ts';

/** A field that differs; undefined where a stream does not have it. */
export interface FieldDifference {
  readonly path: string;
  readonly a: string | undefined;
  readonly b: string | undefined;
}

/** A run of pages that differ. */
export interface PageDifference {
  readonly block: string;
  /** Offset in the block of the first page, and how many follow each other. */
  readonly address: number;
  pages: number;
  /** First byte that differs, as an offset in the block, and what stands there; undefined where a stream has no page. */
  readonly at: number;
  readonly a: Uint8Array | undefined;
  readonly b: Uint8Array | undefined;
}

/** Result of a comparison. */
export interface StreamDifference {
  readonly fields: readonly FieldDifference[];
  readonly pages: readonly PageDifference[];
  /** All pages that differ. */
  readonly pageCount: number;
  /** How many differences were left out on request. */
  readonly ignored: number;
  /** What is wrong with the streams themselves: up to there they were compared. */
  readonly damage: readonly { readonly stream: 'a' | 'b'; readonly message: string }[];
  /** Pages are not in these streams: other channels carried them. */
  readonly withoutPages: readonly ('a' | 'b')[];
}

/** Bytes of a page that are shown. */
const SHOWN = 16;

/**
 * Sets of paths that differ between any two moments of one guest, by name: for `--ignore @NAME`.
 */
export const IGNORE_SETS: Readonly<Record<string, readonly string[]>> = {
  clocks: [
    'timer',
    'apic/*/initial_count_load_time',
    'apic/*/next_time',
    'apic/*/timer_expiry',
    'i8254/**count_load_time',
    'i8254/**next_transition_time',
    'mc146818rtc/*/cmos_data',
    'mc146818rtc/*/base_rtc',
    'mc146818rtc/*/last_update',
    'mc146818rtc/*/offset',
    'mc146818rtc/*/*_timer',
    'mc146818rtc/*/next_*_time',
    'cpu/*/env.tsc',
  ],
  interrupts: ['apic/*/irr', 'cpu_common/*/interrupt_request', 'i8259/*/*irr', 'ioapic/*/irr'],
  cpu: ['cpu', 'cpu_common', 'apic'],
  ram: ['ram'],
};

/** What is to be left out of a comparison. @throws StreamError for an unknown set */
export function ignoring(patterns: readonly string[]): (path: string) => boolean {
  const tests = patterns
    .flatMap((pattern) => {
      if (!pattern.startsWith('@')) return [pattern];
      const set = IGNORE_SETS[pattern.slice(1)];
      if (set === undefined)
        throw new StreamError(
          `there is no set ${pattern}; there are ${Object.keys(IGNORE_SETS)
            .map((name) => `@${name}`)
            .join(', ')}`,
        );
      return set;
    })
    .map(pathPattern);
  return (path) => tests.some((test) => test(path));
}

/** One side of a comparison. */
export interface StreamSide {
  readonly source: ByteSource;
  readonly options?: Omit<WalkOptions, 'ram'>;
  /** Decodes sections that the stream does not describe. */
  readonly complete?: (item: StreamItem) => Promise<void>;
}

/** Compares two streams. @param ignore paths that do not count, as in {@link ignoring} */
export async function diffStreams(
  a: StreamSide,
  b: StreamSide,
  ignore: (path: string) => boolean = () => false,
): Promise<StreamDifference> {
  const [left, right] = [await readSide(a), await readSide(b)];
  const fields: FieldDifference[] = [];
  let ignored = 0;
  for (const path of new Set([...left.fields.keys(), ...right.fields.keys()])) {
    const [x, y] = [left.fields.get(path), right.fields.get(path)];
    if (x === y) continue;
    if (ignore(path)) ignored++;
    else fields.push({ path, a: x, b: y });
  }
  const withoutPages = (['a', 'b'] as const).filter((side) => !(side === 'a' ? left : right).hasPages);
  const pages =
    withoutPages.length === 0 ? diffPages(left.image, right.image, ignore) : { runs: [], count: 0, ignored: 0 };
  return {
    fields: wholeSections(fields, left, right),
    pages: pages.runs,
    pageCount: pages.count,
    ignored: ignored + pages.ignored,
    damage: [
      ...left.damage.map((message) => ({ stream: 'a' as const, message })),
      ...right.damage.map((message) => ({ stream: 'b' as const, message })),
    ],
    withoutPages,
  };
}

interface ReadSide {
  /** Every field as text. */
  readonly fields: Map<string, string>;
  readonly sections: Set<string>;
  readonly image: RamImage;
  hasPages: boolean;
  readonly damage: string[];
}

async function readSide({ source, options, complete }: StreamSide): Promise<ReadSide> {
  const image = new RamImage(source);
  const side: ReadSide = { fields: new Map(), sections: new Set(), image, hasPages: false, damage: [] };
  for (const item of walkStream(source, { ...options, ram: image })) {
    await complete?.(item);
    if (item.type === 'configuration') {
      side.fields.set('configuration/machine', item.machine);
      for (const part of item.parts) side.fields.set(part.name, part.meaning);
    } else if (isDamage(item)) side.damage.push(damageText(item));
    else if (item.type === 'section') collect(item, side, source);
  }
  return side;
}

function collect(item: Extract<StreamItem, { type: 'section' }>, side: ReadSide, source: ByteSource): void {
  const { idstr, instance, version, body, kind } = item;
  const place = `${idstr}/${instance}`;
  side.sections.add(place);
  if (kind === 'start' || kind === 'full') side.fields.set(`${place}/(version)`, String(version));
  if (body.kind === 'ram') {
    const { summary } = body;
    if (summary.normal + summary.zero + summary.xbzrle > 0 || summary.blocks.some(({ mapped }) => mapped !== undefined))
      side.hasPages = true;
    for (const { name, length } of summary.blocks) side.fields.set(`${place}/${name}`, `${length} bytes`);
  } else if (body.kind === 'fields')
    for (const leaf of leavesOf(item)) side.fields.set(leaf.path, fullText(leaf.value));
  else side.fields.set(`${place}/(${kind})`, fullText(source.read(item.bodyOffset, item.bodyLength)));
}

/** Unlike what is shown of them, long values are compared to their end. */
function fullText(value: bigint | boolean | Uint8Array): string {
  if (!(value instanceof Uint8Array) || value.length <= 32) return valueText(value);
  let sum = 0n;
  for (const byte of value) sum = BigInt.asUintN(64, (sum ^ BigInt(byte)) * 0x100000001b3n + 1n);
  return `${valueText(value)} #${sum.toString(16)}`;
}

/** A section that only one stream has is one difference, not one for each field. */
function wholeSections(fields: readonly FieldDifference[], left: ReadSide, right: ReadSide): FieldDifference[] {
  const alone = (place: string) => left.sections.has(place) !== right.sections.has(place);
  const told = new Set<string>();
  const result: FieldDifference[] = [];
  for (const field of fields) {
    const place = [...left.sections, ...right.sections].find((name) => field.path.startsWith(`${name}/`));
    if (place === undefined || !alone(place)) result.push(field);
    else if (!told.has(place)) {
      told.add(place);
      result.push({
        path: place,
        a: left.sections.has(place) ? 'section' : undefined,
        b: right.sections.has(place) ? 'section' : undefined,
      });
    }
  }
  return result;
}

function diffPages(
  a: RamImage,
  b: RamImage,
  ignore: (path: string) => boolean,
): { runs: PageDifference[]; count: number; ignored: number } {
  const runs: PageDifference[] = [];
  const [x, y] = [new Uint8Array(PAGE), new Uint8Array(PAGE)];
  let [count, ignored] = [0, 0];
  const sizes = new Map(a.list.map(({ name, length }) => [name, length]));
  for (const { name, length } of b.list) {
    // A block that only one has is a field that differs.
    const pages = Math.min(length, sizes.get(name) ?? 0) / PAGE;
    const quiet = ignore(`ram/0/${name}`);
    for (let page = 0; page < pages; page++) {
      if (a.isZero(name, page) && b.isZero(name, page)) continue;
      const [hasA, hasB] = [a.read(name, page, x), b.read(name, page, y)];
      const first = firstDifference(x, y);
      if (hasA === hasB && (!hasA || first < 0)) continue;
      // A page that nobody sent is as fresh RAM is: zero.
      if (!hasA) x.fill(0);
      if (!hasB) y.fill(0);
      const at = firstDifference(x, y);
      if (at < 0) continue;
      if (quiet) {
        ignored++;
        continue;
      }
      count++;
      const last = runs.at(-1);
      if (last !== undefined && last.block === name && last.address + last.pages * PAGE === page * PAGE) last.pages++;
      else
        runs.push({
          block: name,
          address: page * PAGE,
          pages: 1,
          at: page * PAGE + at,
          a: hasA ? x.slice(at, at + SHOWN) : undefined,
          b: hasB ? y.slice(at, at + SHOWN) : undefined,
        });
    }
  }
  return { runs, count, ignored };
}

function firstDifference(x: Uint8Array, y: Uint8Array): number {
  for (let i = 0; i < PAGE; i++) if (x[i] !== y[i]) return i;
  return -1;
}
