import { COMMANDS, EVENTS, schemaOf, t } from '@sterna/qmp';
import { describe, expect, it } from 'vitest';

const schema = schemaOf(undefined) as readonly Readonly<Record<string, unknown>>[];
const find = (name: string, kind: string) =>
  schema.find((entry) => entry['name'] === name && entry['meta-type'] === kind)!;

describe('the schema', () => {
  it('has every command and event, and every type that they name, once', () => {
    for (const name of Object.keys(COMMANDS)) expect(find(name, 'command')).toBeDefined();
    for (const name of Object.keys(EVENTS)) expect(find(name, 'event')).toBeDefined();
    const types = schema.filter((entry) => !['command', 'event'].includes(String(entry['meta-type'])));
    const names = types.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    const used = JSON.stringify(schema).matchAll(/"(?:arg-type|ret-type|element-type|type)":"([^"]+)"/g);
    for (const [, name] of used) expect(names).toContain(name);
  });

  it('describes itself', () => {
    const { check } = COMMANDS['query-qmp-schema'].returns;
    expect(check(schema, 'schema')).toEqual(schema);
  });

  it('has the forms of QEMU', () => {
    const { 'arg-type': args, 'ret-type': returns, ...rest } = find('ringbuf-read', 'command');
    expect(rest).toEqual({ name: 'ringbuf-read', 'meta-type': 'command' });
    expect(returns).toBe('str');
    const { members } = find(String(args), 'object') as unknown as { members: Record<string, unknown>[] };
    expect(members).toMatchObject([
      { name: 'device', type: 'str' },
      { name: 'size', type: 'int' },
      { name: 'format', default: null },
    ]);
    expect(find(String(members[2]!['type']), 'enum')).toMatchObject({
      members: [{ name: 'utf8' }, { name: 'base64' }],
      values: ['utf8', 'base64'],
    });
    expect(find('query-yank', 'command')).toMatchObject({ 'allow-oob': true });
    expect(find('int', 'builtin')).toEqual({ name: 'int', 'meta-type': 'builtin', 'json-type': 'int' });
  });
});

describe('types', () => {
  const shape = t.union('kind', { kind: t.enum(['dot', 'box']) }, { box: { size: t.int } });

  it('of unions take the members of their variant', () => {
    expect(shape.check({ kind: 'box', size: 3 }, 'shape')).toEqual({ kind: 'box', size: 3 });
    expect(shape.check({ kind: 'dot' }, 'shape')).toEqual({ kind: 'dot' });
    expect(() => shape.check({ kind: 'dot', size: 3 }, 'shape')).toThrow("Parameter 'size' is unexpected");
    expect(() => shape.check({ kind: 'box' }, 'shape')).toThrow("Parameter 'size' is missing");
    expect(() => shape.check({}, 'shape')).toThrow("Parameter 'kind' is missing");
    expect(() => shape.check({ kind: 'nix' }, 'shape')).toThrow("Parameter 'kind' does not accept value 'nix'");
  });

  it('of alternates choose by what JSON has', () => {
    const either = t.alternate([shape, t.str, t.null]);
    expect(either.check('x', 'either')).toBe('x');
    expect(either.check(null, 'either')).toBe(null);
    expect(either.check({ kind: 'dot' }, 'either')).toEqual({ kind: 'dot' });
    expect(() => either.check(3, 'either')).toThrow("Invalid parameter type for 'either', expected: object or string");
  });

  it('that are open pass on what they do not know', () => {
    expect(t.open({ a: t.int }).check({ a: 1, b: 2 }, 'open')).toEqual({ a: 1, b: 2 });
  });
});
