import { JsonStream } from '@sterna/qmp';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

function parse(...pieces: (string | Uint8Array)[]) {
  const values: unknown[] = [];
  const errors: string[] = [];
  const stream = new JsonStream(
    { value: (value) => values.push(value), error: (message) => errors.push(message) },
    { maxDepth: 8, maxLength: 200 },
  );
  for (const piece of pieces) stream.push(typeof piece === 'string' ? Buffer.from(piece) : piece);
  return { values, errors };
}

describe('JSON stream', () => {
  it('finds values without separators, in pieces of any size', () => {
    const objects = fc.array(
      fc.dictionary(fc.string({ maxLength: 5 }), fc.oneof(fc.string({ maxLength: 9 }), fc.integer(), fc.boolean())),
      { maxLength: 4 },
    );
    fc.assert(
      fc.property(objects, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), (list, cuts) => {
        const bytes = Buffer.from(list.map((value) => JSON.stringify(value)).join(''));
        const pieces: Uint8Array[] = [];
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const end = at + cuts[i % cuts.length]!;
          pieces.push(bytes.subarray(at, end));
          at = end;
        }
        const { values, errors } = parse(...pieces);
        expect(values).toEqual(JSON.parse(JSON.stringify(list)));
        expect(errors).toEqual([]);
      }),
    );
  });

  it('takes strings in single quotes', () => {
    expect(parse(`{'execute': 'a"b\\'c', "k": "it's"}`).values).toEqual([{ execute: 'a"b\'c', k: "it's" }]);
  });

  it('goes on after junk with the next object', () => {
    const { values, errors } = parse('foo bar\n{"a":1}}{"b":\n{"c":2}');
    expect(values).toEqual([{ a: 1 }]);
    expect(errors).toHaveLength(3);
    expect(parse('{"a":]\n{"b":2}').values).toEqual([{ b: 2 }]);
    expect(parse('{"a" 1}{"b":2}').values).toEqual([{ b: 2 }]);
  });

  it('forgets a half-sent value at byte 0xff', () => {
    expect(parse('{"a": "', Uint8Array.of(0xff), '{"b":2}')).toEqual({ values: [{ b: 2 }], errors: [] });
  });

  it('skips what is too deep or too long and goes on', () => {
    const deep = parse(`${'['.repeat(9)}1${']'.repeat(9)}\n{"b":2}`);
    expect(deep).toEqual({ values: [{ b: 2 }], errors: [expect.stringMatching(/too deeply/)] });
    const long = parse(`{"a":"${'x'.repeat(500)}"}\n{"b":2}`);
    expect(long).toEqual({ values: [{ b: 2 }], errors: [expect.stringMatching(/too long/)] });
  });

  it('never throws, whatever comes', () => {
    fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 40 })), (pieces) => void parse(...pieces)));
    const brackets = fc.string({ unit: fc.constantFrom('{', '}', '[', ']', '"', "'", '\\', ',', ':', '1', '\n', 'a') });
    fc.assert(fc.property(brackets, (text) => void parse(text)));
  });
});
