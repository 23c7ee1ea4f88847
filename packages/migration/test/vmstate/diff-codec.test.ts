import type { FieldBuilder, VmField, VmStateTable } from '@sterna/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { diffVmState, type VmStateVerdict } from '../../src/vmstate/diff.ts';
import { dumpVmState } from '../../src/vmstate/dump.ts';
import { load, save } from '../support/codec.ts';

type Device = Record<string, number>;
type Scalar = 'u8' | 'u16' | 'u32';
interface Spec {
  readonly name: string;
  readonly type: Scalar;
  readonly count?: number;
  readonly since?: number;
}

/** A table as a list of names and types, for edits. */
interface Table {
  readonly version: number;
  readonly fields: readonly (Spec | { readonly unused: number } | { readonly struct: readonly Spec[] })[];
  readonly subsection?: readonly Spec[];
}

const BYTES: Readonly<Record<Scalar, number>> = { u8: 1, u16: 2, u32: 4 };
const bytesOf = ({ type, count = 1 }: Spec): number => BYTES[type] * count;

function make({ version, fields, subsection }: Table, needed: boolean): VmStateTable<Device> {
  const scalar = (f: FieldBuilder<Device>, { name, type, count, since = 0 }: Spec): VmField =>
    f.array(
      type,
      {
        name,
        get: (dev, i) => dev[`${name}${i}`] ?? 0,
        set: (dev, value, i) => {
          dev[`${name}${i}`] = value;
        },
      },
      count ?? 1,
      { since },
    );
  return {
    name: 't',
    version,
    minimumVersion: 1,
    fields: (f) =>
      fields.map((field) => {
        if ('unused' in field) return f.unused(field.unused);
        if (!('struct' in field)) return scalar(f, field);
        const { struct } = field;
        return f.structOf('s', (dev) => dev, {
          name: 's',
          version: 1,
          fields: (g) => struct.map((one) => scalar(g, one)),
        });
      }),
    ...(subsection === undefined
      ? {}
      : {
          subsections: [
            {
              name: 't/more',
              version: 1,
              needed: () => needed,
              fields: (f) => subsection.map((one) => scalar(f, one)),
            },
          ],
        }),
  };
}

const spec: fc.Arbitrary<Omit<Spec, 'name'>> = fc.record({
  type: fc.constantFrom('u8', 'u16', 'u32'),
  count: fc.integer({ min: 1, max: 3 }),
});
const specs = fc
  .array(spec, { minLength: 2, maxLength: 8 })
  .map((list) => list.map((one, i): Spec => ({ ...one, name: `f${i}` })));

/** An edit of a table, and what it must be called. */
interface Edit {
  readonly name: string;
  readonly verdict: VmStateVerdict;
  apply(fields: readonly Spec[], at: number): Table;
}
const whole = (fields: Table['fields'], extra: Partial<Table> = {}): Table => ({ version: 2, fields, ...extra });
const more: readonly Spec[] = [{ name: 'extra', type: 'u32' }];
const EDITS: readonly Edit[] = [
  { name: 'none', verdict: 'safe', apply: (fields) => whole(fields) },
  {
    name: 'group into a struct',
    verdict: 'safe',
    apply: (fields, at) => whole([...fields.slice(0, at), { struct: fields.slice(at) }]),
  },
  {
    name: 'leave bytes unused',
    verdict: 'safe',
    apply: (fields, at) => whole(fields.with(at, { unused: bytesOf(fields[at]!) } as never)),
  },
  { name: 'add a subsection', verdict: 'safe', apply: (fields) => whole(fields, { subsection: more }) },
  {
    name: 'add with a version',
    verdict: 'needs-subsection',
    apply: (fields, at) => whole(fields.toSpliced(at, 0, { name: 'extra', type: 'u16', since: 3 }), { version: 3 }),
  },
  { name: 'remove', verdict: 'breaking', apply: (fields, at) => whole(fields.toSpliced(at, 1)) },
  {
    name: 'insert',
    verdict: 'breaking',
    apply: (fields, at) => whole(fields.toSpliced(at, 0, { name: 'extra', type: 'u16' })),
  },
  {
    name: 'widen',
    verdict: 'breaking',
    apply: (fields, at) => whole(fields.with(at, { ...fields[at]!, type: fields[at]!.type === 'u8' ? 'u16' : 'u8' })),
  },
  {
    name: 'lengthen',
    verdict: 'breaking',
    apply: (fields, at) => whole(fields.with(at, { ...fields[at]!, count: (fields[at]!.count ?? 1) + 1 })),
  },
  {
    name: 'rename',
    verdict: 'breaking',
    apply: (fields, at) => whole(fields.with(at, { ...fields[at]!, name: 'other' })),
  },
  { name: 'lower the version', verdict: 'breaking', apply: (fields) => whole(fields, { version: 1 }) },
];

const dumpOf = (table: Table) => dumpVmState('m', new Map([['d', { table: make(table, false) }]]));

/** Whether the codec takes what `from` has written into `to`, to the last byte and with the same values. */
async function loads(from: Table, to: Table, fields: readonly Spec[]): Promise<boolean> {
  const device: Device = {};
  for (const [n, { name, count = 1 }] of fields.entries())
    for (let i = 0; i < count; i++) device[`${name}${i}`] = (n * 16 + i + 1) & 0xff;
  const target: Device = {};
  try {
    const { bytes } = await save(make(from, false), device);
    const reader = await load(make(to, false), target, bytes, from.version);
    await reader.ensure(1);
    // What the helper puts behind the device.
    if (reader.u8() !== 0x7e) return false;
  } catch {
    return false;
  }
  return Object.entries(device).every(([key, value]) => target[key] === undefined || target[key] === value);
}

test.each(EDITS.map((edit) => [edit.name, edit] as const))(
  '%s: the verdict agrees with the codec',
  async (_name, edit) => {
    await fc.assert(
      fc.asyncProperty(specs, fc.nat(), async (fields, n) => {
        const [before, after] = [whole(fields), edit.apply(fields, n % fields.length)];
        expect(diffVmState(dumpOf(before), dumpOf(after)).verdict).toBe(edit.verdict);
        if (edit.verdict !== 'breaking') expect(await loads(before, after, fields)).toBe(true);
        if (edit.verdict === 'safe')
          expect(await loads(after, before, fields)).toBe(edit.name !== 'leave bytes unused');
      }),
      { numRuns: 60 },
    );
  },
);
