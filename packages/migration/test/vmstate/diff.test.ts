import { describe, expect, test } from 'vitest';
import { diffVmState, type VmStateDiffOptions } from '../../src/vmstate/diff.ts';
import type { DumpedDescription, DumpedField, VmStateDump } from '../../src/vmstate/dump.ts';

type Extra = Partial<Omit<DumpedField, 'field'>>;

const field = (name: string, size: number, extra: Extra = {}): DumpedField => ({
  field: name,
  version_id: 0,
  field_exists: false,
  size,
  ...extra,
});
const struct = (name: string, fields: DumpedField[], extra: Partial<DumpedField> = {}): DumpedField => ({
  ...field(name, 99),
  ...extra,
  Description: table(`${name}-struct`, fields),
});
const table = (name: string, fields: DumpedField[], extra: Partial<DumpedDescription> = {}): DumpedDescription => ({
  name,
  version_id: 2,
  minimum_version_id: 1,
  ...(fields.length === 0 ? {} : { Fields: fields }),
  ...extra,
});
const dump = (...tables: DumpedDescription[]): VmStateDump => ({
  vmschkmachine: { Name: 'm' },
  ...Object.fromEntries(
    tables.map((description) => {
      const { name, version_id, minimum_version_id } = description;
      return [`${name}-device`, { Name: `${name}-device`, version_id, minimum_version_id, Description: description }];
    }),
  ),
});

const [a, b, c] = [field('a', 4), field('b', 2), field('c', 1, { num: 3 })];
const base = table('t', [a, b, c]);

function compare(before: DumpedDescription, after: DumpedDescription, options?: VmStateDiffOptions) {
  const { verdict, semver, devices } = diffVmState(dump(before), dump(after), options);
  return { verdict, semver, places: devices.flatMap(({ changes }) => changes.map(({ place }) => place)) };
}
const reading = (after: DumpedDescription, options?: VmStateDiffOptions) => compare(base, after, options);

describe('safe', () => {
  test('nothing has changed', () => {
    expect(reading(table('t', [a, b, c]))).toEqual({ verdict: 'safe', semver: 'patch', places: [] });
  });
  test('fields are grouped into a struct, or taken out of one', () => {
    const grouped = table('t', [struct('s', [a, b]), c]);
    expect(reading(grouped)).toEqual({ verdict: 'safe', semver: 'patch', places: [] });
    expect(compare(grouped, base)).toEqual({ verdict: 'safe', semver: 'patch', places: [] });
  });
  test('a field has become unused bytes', () => {
    const after = table('t', [a, field('unused', 2), c]);
    expect(reading(after)).toEqual({ verdict: 'safe', semver: 'patch', places: ['t.b'] });
  });
  test('several fields have become one run of unused bytes', () => {
    expect(reading(table('t', [field('unused', 6), c])).places).toEqual(['t.a', 't.b']);
    expect(reading(table('t', [field('unused', 6), c])).verdict).toBe('safe');
  });
  test('a subsection is new', () => {
    const after = { ...base, Subsections: [table('t/more', [a])] };
    expect(reading(after)).toEqual({ verdict: 'safe', semver: 'minor', places: ['t'] });
  });
  test('a device type is new', () => {
    expect(diffVmState(dump(base), dump(base, table('u', [])))).toMatchObject({ verdict: 'safe', semver: 'minor' });
  });
  test('a device type is only called something else', () => {
    const renamed: VmStateDump = {
      vmschkmachine: { Name: 'm' },
      other: { ...dump(base)['t-device'], Name: 'other' } as never,
    };
    expect(diffVmState(dump(base), renamed)).toMatchObject({ verdict: 'safe', semver: 'patch' });
  });
  test('the oldest version that loads is raised, but not above what the other side sends', () => {
    expect(reading({ ...base, minimum_version_id: 2 })).toMatchObject({ verdict: 'safe', places: ['t'] });
  });
  test('subsections stand in another order', () => {
    const [x, y] = [table('t/x', [a]), table('t/y', [b])];
    expect(compare({ ...base, Subsections: [x, y] }, { ...base, Subsections: [y, x] }).places).toEqual([]);
  });
  test('a rename that was said to be only that', () => {
    const after = table('t', [a, field('bb', 2), c]);
    expect(reading(after, { renamed: new Map([['t.b', 'bb']]) })).toEqual({
      verdict: 'safe',
      semver: 'patch',
      places: [],
    });
  });
});

describe('needs a subsection', () => {
  test('a field came with a raised version', () => {
    const after = table('t', [a, field('new', 8, { version_id: 3 }), b, c], { version_id: 3 });
    expect(reading(after)).toEqual({ verdict: 'needs-subsection', semver: 'minor', places: ['t', 't.new'] });
  });
  test('a field is new under a condition', () => {
    expect(reading(table('t', [a, b, field('new', 8, { field_exists: true }), c]))).toEqual({
      verdict: 'needs-subsection',
      semver: 'minor',
      places: ['t.new'],
    });
  });
  test('a field depends on a condition now', () => {
    expect(reading(table('t', [a, { ...b, field_exists: true }, c]))).toMatchObject({
      verdict: 'needs-subsection',
      places: ['t.b'],
    });
  });
  test('a field takes bytes that were unused', () => {
    const before = table('t', [a, field('unused', 8), c]);
    const after = table('t', [a, field('new', 4), field('unused', 4), c]);
    expect(compare(before, after)).toMatchObject({ verdict: 'needs-subsection', places: ['t.new'] });
  });
});

describe('breaking', () => {
  const breaking: readonly (readonly [what: string, after: DumpedDescription, place: string])[] = [
    ['a field is gone', table('t', [a, c]), 't.b'],
    ['the last field is gone', table('t', [a, b]), 't.c'],
    ['a field is new in the middle', table('t', [a, field('new', 1), b, c]), 't.new'],
    ['a field is new at the end', table('t', [a, b, c, field('new', 1)]), 't.new'],
    ['a field is larger', table('t', [a, field('b', 4), c]), 't.b'],
    ['an array is longer', table('t', [a, b, { ...c, num: 4 }]), 't.c'],
    ['a field has another name', table('t', [a, field('bb', 2), c]), 't.b'],
    ['a field is another one', table('t', [a, field('bb', 4), c]), 't.b'],
    ['fields have changed places', table('t', [b, a, c]), 't.b'],
    ['the version is lower', { ...base, version_id: 1 }, 't'],
    ['the oldest version is above what is sent', { ...base, version_id: 4, minimum_version_id: 3 }, 't'],
    [
      'a field is read in newer versions only',
      { ...table('t', [a, { ...b, version_id: 3 }, c]), version_id: 3 },
      't.b',
    ],
    ['the section has another name', { ...base, name: 't2' }, 't-device'],
    ['unused bytes are shorter than what they replace', table('t', [a, field('unused', 1), c]), 't.b'],
  ];
  test.each(breaking)('%s', (_what, after, place) => {
    const result = reading(after);
    expect(result).toMatchObject({ verdict: 'breaking', semver: 'major' });
    expect(result.places).toContain(place);
  });
  test('a field in a struct is new, whatever version it says: structs have none on the wire', () => {
    const before = table('t', [struct('s', [a])]);
    const after = table('t', [struct('s', [a, { ...b, version_id: 3 }])]);
    expect(compare(before, after)).toMatchObject({ verdict: 'breaking', places: ['t.s.b'] });
  });
  test('an array of structs is longer', () => {
    const [before, after] = [2, 3].map((num) => table('t', [struct('s', [a], { num })]));
    expect(compare(before!, after!)).toMatchObject({ verdict: 'breaking', places: ['t.s.a'] });
  });
  test('a condition is gone: old streams have the field only sometimes', () => {
    expect(compare(table('t', [{ ...a, field_exists: true }]), table('t', [a]))).toMatchObject({ verdict: 'breaking' });
  });
  test('a subsection is gone', () => {
    expect(compare({ ...base, Subsections: [table('t/x', [a])] }, base)).toMatchObject({ verdict: 'breaking' });
  });
  test('a field of a subsection is gone', () => {
    const [before, after] = [[a, b], [a]].map((fields) => ({ ...base, Subsections: [table('t/x', fields)] }));
    expect(compare(before!, after!)).toMatchObject({ verdict: 'breaking', places: ['t/x.b'] });
  });
  test('the subsection of a nested struct is gone', () => {
    const nested = (names: string[]) =>
      table('t', [
        { ...struct('s', [a]), Description: table('s', [a], { Subsections: names.map((name) => table(name, [b])) }) },
      ]);
    expect(compare(nested(['s/x', 's/y']), nested(['s/x']))).toMatchObject({ verdict: 'breaking', places: ['t.s'] });
    expect(compare(nested(['s/x']), nested(['s/x', 's/y']))).toMatchObject({ verdict: 'safe', semver: 'minor' });
  });
  test('a device type is gone', () => {
    expect(diffVmState(dump(base, table('u', [])), dump(base))).toMatchObject({
      verdict: 'breaking',
      devices: [{ device: 'u-device', verdict: 'breaking' }],
    });
  });
});

describe('what makes a comparison doubtful', () => {
  test('machine types differ', () => {
    const other = { ...dump(base), vmschkmachine: { Name: 'n' } };
    expect(diffVmState(dump(base), other).warnings).toEqual(['the machine types differ: m and n']);
  });
  test('one dump does not tell the sizes of arrays', () => {
    const old = table('t', [a, b, field('c', 1)]);
    const { verdict, warnings } = diffVmState(dump(old), dump(base));
    expect(verdict).toBe('safe');
    expect(warnings).toHaveLength(1);
  });
});
