import { createCipheriv, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Authorization,
  definePlugin,
  findAuthorization,
  findSecret,
  findTlsCredentials,
  globPattern,
  objectSpec,
  PluginRegistry,
  parseObject,
  parseTlsPriority,
  UserObjects,
} from '@sterna/core';
import { securityObjects } from '@sterna/core/node';
import { afterAll, describe, expect, it } from 'vitest';

const directory = mkdtempSync(join(tmpdir(), 'sterna-objects-'));
afterAll(() => rmSync(directory, { recursive: true }));

function newObjects(): UserObjects {
  const registry = new PluginRegistry();
  registry.add(definePlugin({ name: 'test', objects: securityObjects }));
  return new UserObjects((name) => registry.object(name));
}

function add(objects: UserObjects, type: string, id: string, properties: object = {}): void {
  objects.add(objectSpec({ 'qom-type': type, id, ...properties }, false, 'object-add'));
}

describe('objects', () => {
  it('are made from both forms of the option', () => {
    const objects = newObjects();
    objects.add(parseObject('secret,id=s0,data=hello,, world'));
    objects.add(
      parseObject('authz-list,id=a0,policy=deny,rules.0.match=CN=*,,O=x,rules.0.policy=allow,rules.0.format=glob'),
    );
    objects.add(parseObject('{"qom-type":"authz-list","id":"a1","rules":[{"match":"me","policy":"allow"}]}'));
    expect(Buffer.from(findSecret(objects, 's0').bytes).toString()).toBe('hello, world');
    expect(findAuthorization(objects, 'a0').allows('CN=a,O=x')).toBe(true);
    expect(findAuthorization(objects, 'a1').allows('me')).toBe(true);
    expect(objects.list.map(({ id, type }) => `${type} ${id}`)).toEqual([
      'secret s0',
      'authz-list a0',
      'authz-list a1',
    ]);
  });

  it('are refused with the reason, and removed', () => {
    const objects = newObjects();
    expect(() => add(objects, 'secrt', 's0')).toThrow("did you mean 'secret'");
    expect(() => add(objects, 'secret', '9', { data: 'x' })).toThrow("'9' is no id");
    expect(() => add(objects, 'secret', 's0', { datum: 'x' })).toThrow("has no property 'datum'");
    expect(() => add(objects, 'authz-simple', 'a0')).toThrow("'identity'");
    expect(() => parseObject('secret,data=x')).toThrow("'id=' is missing");
    expect(() => parseObject('{"id":"x"}')).toThrow("'qom-type=' is missing");
    add(objects, 'secret', 's0', { data: 'x' });
    expect(() => add(objects, 'secret', 's0', { data: 'y' })).toThrow("there is an object 's0' already");
    objects.remove('s0');
    expect(() => objects.remove('s0')).toThrow("object 's0' not found");
    expect(() => findSecret(objects, 's0')).toThrow("no secret with id 's0'");
  });
});

describe('secret', () => {
  it('comes from a file, in base64, or encrypted with another', () => {
    const objects = newObjects();
    const [key, iv] = [randomBytes(32), randomBytes(16)];
    writeFileSync(join(directory, 'key'), key);
    add(objects, 'secret', 'master', { file: join(directory, 'key') });
    const cipher = createCipheriv('aes-256-cbc', key, iv);
    const data = Buffer.concat([cipher.update('pass word'), cipher.final()]).toString('base64');
    add(objects, 'secret', 's0', { keyid: 'master', iv: iv.toString('base64'), format: 'base64', data });
    expect(Buffer.from(findSecret(objects, 's0').bytes).toString()).toBe('pass word');
    add(objects, 'secret', 's1', { format: 'base64', data: 'aGk=\n' });
    expect(Buffer.from(findSecret(objects, 's1').bytes).toString()).toBe('hi');
  });

  it.for([
    [{}, "either 'file' or 'data'"],
    [{ data: 'x', file: 'y' }, 'exclude each other'],
    [{ file: '/nowhere' }, 'cannot read /nowhere'],
    [{ data: 'a@@', format: 'base64' }, 'no base64'],
    [{ data: 'a', keyid: 'none' }, "no secret with id 'none'"],
    [{ data: 'a', keyid: 'short' }, 'has 3 bytes, not 32'],
    [{ data: 'a', keyid: 'long' }, "'iv' is needed"],
    [{ data: 'a', keyid: 'long', iv: 'aGk=' }, 'has 2 bytes, not 16'],
    [{ data: 'a', keyid: 'long', iv: Buffer.alloc(16).toString('base64') }, 'cannot be decrypted'],
  ] as const)('%j is refused', ([properties, why]) => {
    const objects = newObjects();
    add(objects, 'secret', 'short', { data: 'abc' });
    add(objects, 'secret', 'long', { data: 'x'.repeat(32) });
    expect(() => add(objects, 'secret', 's0', properties)).toThrow(why);
  });
});

describe('access lists', () => {
  it('decide by the first rule that matches', () => {
    const objects = newObjects();
    const rules = [
      { match: 'CN=evil*', policy: 'deny', format: 'glob' },
      { match: 'CN=?at,O=[!b]*', policy: 'allow', format: 'glob' },
      { match: 'CN=*', policy: 'allow' },
    ];
    add(objects, 'authz-list', 'a', { rules });
    const list = findAuthorization(objects, 'a');
    for (const [who, allowed] of [
      ['CN=evil,O=a', false],
      ['CN=cat,O=a', true],
      ['CN=cat,O=b', false],
      ['CN=*', true],
      ['CN=x', false],
    ] as const)
      expect([who, list.allows(who)]).toEqual([who, allowed]);
    add(objects, 'authz-list', 'open', { policy: 'allow' });
    expect(findAuthorization(objects, 'open').allows('anybody')).toBe(true);
    add(objects, 'authz-simple', 'one', { identity: 'CN=me' });
    expect(findAuthorization(objects, 'one').allows('CN=me')).toBe(true);
    expect(findAuthorization(objects, 'one').allows('CN=you')).toBe(false);
    add(objects, 'secret', 's', { data: 'x' });
    expect(() => findAuthorization(objects, 's')).toThrow('not an authorization object');
  });

  it('come from a file, which may change', () => {
    const objects = newObjects();
    const filename = join(directory, 'list.json');
    const write = (match: string) => {
      writeFileSync(filename, JSON.stringify({ rules: [{ match, policy: 'allow' }] }));
      utimesSync(filename, new Date(), new Date(Date.now() + match.length * 10_000));
    };
    expect(() => add(objects, 'authz-list-file', 'f', { filename })).toThrow('cannot use the access list');
    write('a');
    add(objects, 'authz-list-file', 'f', { filename });
    add(objects, 'authz-list-file', 'fixed', { filename, refresh: false });
    const [list, fixed]: Authorization[] = [findAuthorization(objects, 'f'), findAuthorization(objects, 'fixed')];
    expect([list!.allows('a'), list!.allows('bb')]).toEqual([true, false]);
    write('bb');
    expect([list!.allows('a'), list!.allows('bb')]).toEqual([false, true]);
    expect([fixed!.allows('a'), fixed!.allows('bb')]).toEqual([true, false]);
    writeFileSync(filename, '{"rules"');
    expect(list!.allows('bb')).toBe(false);
  });

  it('understand globs as fnmatch does', () => {
    expect(globPattern('a.b').test('axb')).toBe(false);
    expect(globPattern('[]x]').test(']')).toBe(true);
    expect(globPattern('[^a-c]').test('d')).toBe(true);
    expect(globPattern('\\*').test('*')).toBe(true);
    expect(globPattern('\\*').test('x')).toBe(false);
    expect(globPattern('*').test('x\ny')).toBe(true);
  });
});

describe('TLS credentials', () => {
  it('without certificates: keys and none', () => {
    const objects = newObjects();
    writeFileSync(join(directory, 'keys.psk'), 'qemu:00ff\n#616c:0102\nother: aabb\n');
    add(objects, 'tls-creds-psk', 'server', { dir: directory, endpoint: 'server' });
    expect(findTlsCredentials(objects, 'server', 'server').material).toMatchObject({
      keys: { qemu: Uint8Array.of(0, 255), al: Uint8Array.of(1, 2), other: Uint8Array.of(0xaa, 0xbb) },
    });
    add(objects, 'tls-creds-psk', 'client', { dir: directory });
    expect(findTlsCredentials(objects, 'client', 'client').material).toEqual({
      type: 'psk',
      username: 'qemu',
      keys: { qemu: Uint8Array.of(0, 255) },
    });
    expect(() => findTlsCredentials(objects, 'client', 'server')).toThrow('for a server endpoint');
    expect(() => findTlsCredentials(objects, 'none', 'server')).toThrow("No TLS credentials with id 'none'");
    add(objects, 'tls-creds-anon', 'anon');
    expect(findTlsCredentials(objects, 'anon', 'client').versions.max).toBe('TLSv1.2');
    add(objects, 'secret', 's', { data: 'x' });
    expect(() => findTlsCredentials(objects, 's', 'server')).toThrow('is not TLS credentials');
  });

  it.for([
    ['tls-creds-psk', {}, "'dir' is missing"],
    ['tls-creds-psk', { dir: '/nowhere' }, 'cannot read the credentials /nowhere/keys.psk'],
    ['tls-creds-psk', { dir: 'HERE', username: 'nobody' }, "no key of 'nobody'"],
    ['tls-creds-psk', { dir: 'HERE', username: 'qemu', endpoint: 'server' }, 'for clients'],
    ['tls-creds-psk', { dir: 'HERE', endpoint: 'middle' }, 'not one of client, server'],
    ['tls-creds-anon', { priority: 'NORMAL:-VERS-TLS1.2' }, 'need TLS 1.2'],
    ['tls-creds-x509', { dir: 'HERE' }, 'ca-cert.pem'],
  ] as const)('%s %j is refused', ([type, properties, why]) => {
    const given = 'dir' in properties && properties.dir === 'HERE' ? { ...properties, dir: directory } : properties;
    expect(() => add(newObjects(), type, 't', given)).toThrow(why);
  });

  it('a bad line of keys.psk is named', () => {
    const dir = mkdtempSync(join(directory, 'bad-'));
    writeFileSync(join(dir, 'keys.psk'), 'qemu:00\nqemu:xyz\n');
    expect(() => add(newObjects(), 'tls-creds-psk', 't', { dir })).toThrow('keys.psk, line 2');
  });

  it('priorities limit versions', () => {
    expect(parseTlsPriority(undefined)).toEqual({ min: 'TLSv1.2', max: 'TLSv1.3' });
    expect(parseTlsPriority('NORMAL:-VERS-TLS1.3:+ANON-DH')).toEqual({ min: 'TLSv1.2', max: 'TLSv1.2' });
    expect(parseTlsPriority('@SYSTEM:-VERS-ALL:+VERS-TLS1.3')).toEqual({ min: 'TLSv1.3', max: 'TLSv1.3' });
    expect(() => parseTlsPriority('BLAH')).toThrow('does not begin with');
    expect(() => parseTlsPriority('NORMAL:-AES-128-GCM')).toThrow("'-AES-128-GCM'");
    expect(() => parseTlsPriority('NORMAL:-VERS-ALL')).toThrow('no version');
  });
});
