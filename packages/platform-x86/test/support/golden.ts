import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, it } from 'vitest';

const GOLDEN = new URL('../../../../../shared/golden/', import.meta.url);

interface Recorded {
  readonly at: number;
  readonly type: string;
  readonly name: string;
  readonly instance: number;
  readonly version: number;
  readonly bytes: number;
}

interface Sidecar {
  readonly monitor: Record<string, string>;
  readonly records: readonly Recorded[];
  readonly devices: readonly {
    readonly name: string;
    readonly instance: number;
    readonly value: Record<string, unknown>;
  }[];
}

/** One section of a recorded stream. */
export interface GoldenSection {
  readonly stream: string;
  readonly instance: number;
  readonly version: number;
  readonly payload: Uint8Array;
  /** Field values as an independent decoder saw them. */
  readonly value: Record<string, unknown>;
  /** What QEMU's monitor printed at the moment of the recording. */
  readonly monitor: Readonly<Record<string, string>>;
  /** Virtual clock at that moment, ns. */
  readonly clockNs: number;
}

/** A state description as QEMU appends it to a stream. */
export interface Described {
  readonly vmsd_name: string;
  readonly version: number;
  readonly fields: readonly {
    readonly name: string;
    readonly size: number;
    readonly array_len?: number;
    readonly struct?: Described;
  }[];
  readonly subsections?: readonly Described[];
}

/** QEMU 11.1's description of a section, with the subsections that the recording has; undefined without recordings. */
export function goldenDescription(section: string): Described | undefined {
  const file = new URL('v111-run.json', GOLDEN);
  if (!existsSync(file)) return undefined;
  const { vmdesc } = JSON.parse(readFileSync(file, 'utf8')) as {
    vmdesc: { devices: (Described & { name: string })[] };
  };
  return vmdesc.devices.find(({ name }) => name === section);
}

/** Every recorded section of that name; empty without recordings. */
export function goldenSections(name: string): GoldenSection[] {
  if (!existsSync(GOLDEN)) return [];
  const sections: GoldenSection[] = [];
  for (const file of readdirSync(GOLDEN)
    .filter((entry) => entry.endsWith('.mig.gz'))
    .sort()) {
    const label = file.slice(0, -'.mig.gz'.length);
    const sidecar = JSON.parse(readFileSync(new URL(`${label}.json`, GOLDEN), 'utf8')) as Sidecar;
    const wanted = sidecar.records.filter((record) => record.type === 'FULL' && record.name === name);
    if (wanted.length === 0) continue;
    const stream = gunzipSync(readFileSync(new URL(file, GOLDEN)));
    for (const record of wanted) {
      const start = record.at + 1 + 4 + 1 + name.length + 4 + 4;
      const device = sidecar.devices.find((entry) => entry.name === name && entry.instance === record.instance);
      sections.push({
        stream: label,
        instance: record.instance,
        version: record.version,
        payload: Uint8Array.from(stream.subarray(start, record.at + record.bytes)),
        value: device?.value ?? {},
        monitor: sidecar.monitor,
        clockNs: (sidecar.devices.find((entry) => entry.name === 'timer')?.value['cpu_clock_offset'] as number) ?? 0,
      });
    }
  }
  return sections;
}

/** Runs `check` on every recorded section of that name; skipped where the recordings are absent, unless in CI. */
export function describeGolden(name: string, check: (section: GoldenSection) => void): void {
  describe(`${name} sections recorded from QEMU`, () => {
    if (!existsSync(GOLDEN) && process.env['CI'] === undefined) {
      it.skip('needs ../shared/golden, which is not here', () => {});
      return;
    }
    it.for(goldenSections(name))('$stream instance $instance', (section) => check(section));
    it('are there', () => {
      if (goldenSections(name).length === 0) throw new Error(`no recording of ${name} in ${GOLDEN.pathname}`);
    });
  });
}
