/** The golden streams as an independent program reads them, value by value. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { leavesOf } from '../../src/inspect/fields.ts';
import type { SectionItem, StreamItem } from '../../src/inspect/items.ts';
import { RamImage } from '../../src/inspect/ram-image.ts';
import { MemorySource } from '../../src/inspect/source.ts';
import { walkStream } from '../../src/inspect/walk.ts';
import { goldenMissing, goldenNames, goldenStream } from '../support/golden.ts';

const shared = fileURLToPath(new URL('../../../../../shared', import.meta.url));
const reader = `${shared}/tools/qemu-stream.py`;
const reason =
  goldenMissing ??
  (existsSync(reader) ? undefined : 'no ../shared/tools') ??
  (spawnSync('python3', ['--version']).status === 0 ? undefined : 'no python3 on this machine');
if (reason !== undefined && process.env['CI']) throw new Error(reason);

interface Read {
  readonly log: readonly {
    readonly at: number;
    readonly type: string;
    readonly bytes?: number;
    readonly name?: string;
  }[];
  readonly devices: readonly { readonly name: string; readonly instance: string; readonly value: unknown }[];
  readonly ram: { readonly blocks: Readonly<Record<string, { readonly size: string; readonly sha256: string }>> };
}

describe.skipIf(reason !== undefined)(`the independent reader${reason === undefined ? '' : ` (${reason})`}`, () => {
  test.for(goldenNames)('agrees on %s', (name) => {
    const text = execFileSync('python3', [reader, '--hex', `${shared}/golden/${name}.mig.gz`], { maxBuffer: 2 ** 28 });
    const expected = JSON.parse(text.toString()) as Read;
    const stream = goldenStream(name);
    const source = new MemorySource(stream);
    const image = new RamImage(source);
    const items = [...walkStream(source, { ram: image })];
    expect(items.filter(({ type }) => type === 'warning' || type === 'damage' || type === 'trailing')).toEqual([]);

    const framing = items.filter(({ type }) => type === 'section' || type === 'command' || type === 'eof');
    expect(framing.map(({ offset }) => offset)).toEqual(expected.log.map(({ at }) => Number(at)));

    const sections = items.filter((item): item is SectionItem => item.type === 'section' && item.kind === 'full');
    expect(sections.map(({ idstr, instance }) => [idstr, instance])).toEqual(
      expected.devices.map((device) => [device.name, Number(device.instance)]),
    );
    for (const [i, section] of sections.entries()) {
      // What the reader makes of the inside of virtio devices is beyond the description.
      if (section.body.kind === 'fields' && section.body.state.fields.some(({ type }) => type === 'virtio')) continue;
      expect(leafTexts(section), section.idstr).toEqual(flat(expected.devices[i]!.value));
    }
    for (const [block, { size, sha256 }] of Object.entries(expected.ram.blocks)) {
      const hash = createHash('sha256');
      const page = new Uint8Array(4096);
      for (let at = 0; at < Number(size) / 4096; at++) {
        expect(image.read(block, at, page)).toBe(true);
        hash.update(page);
      }
      expect(hash.digest('hex'), block).toBe(sha256);
    }
  });
});

function leafTexts(section: StreamItem): string[] {
  if (section.type !== 'section') return [];
  return [...leavesOf(section)].map(({ value }) => {
    if (typeof value === 'bigint') return value < 0n ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
    return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : String(value);
  });
}

/** Values in the stream's order. */
function flat(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(flat);
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(flat) : [String(value)];
}
