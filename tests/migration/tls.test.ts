/** Who is let in and who is not, on real sockets, without machines. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { definePlugin, objectSpec, PluginRegistry, UserObjects } from '@sterna/core';
import { securityObjects } from '@sterna/core/node';
import { type MigrationAddress, parseMigrationUri, type TlsRequest } from '@sterna/migration';
import { NodeMigrationTransport } from '@sterna/migration/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Identity, newPsk, pskDirectory, TestAuthority, x509Directory } from '../support/tls-files.ts';

const directory = mkdtempSync(join(tmpdir(), 'sterna-tls-test-'));
afterAll(() => rmSync(directory, { recursive: true }));

interface Side {
  readonly type: string;
  readonly properties?: object;
  readonly parameters?: Partial<TlsRequest>;
  /** Further objects. */
  readonly more?: readonly object[];
}

function transport(endpoint: 'client' | 'server', { type, properties, more = [] }: Side, reports: string[] = []) {
  const registry = new PluginRegistry();
  registry.add(definePlugin({ name: 'test', objects: securityObjects }));
  const objects = new UserObjects((name) => registry.object(name));
  for (const object of [...more, { 'qom-type': type, id: 'tls0', endpoint, ...properties }])
    objects.add(objectSpec(object as Readonly<Record<string, unknown>>, false, 'test'));
  return new NodeMigrationTransport({ objects, report: (text) => void reports.push(text) });
}

const request = ({ parameters }: Side): TlsRequest => ({
  credentials: 'tls0',
  hostname: '',
  authorization: '',
  ...parameters,
});

/** What the client gets to hear, and what the server reports; nothing when bytes go both ways. */
async function meet(
  client: Side,
  server: Side,
  uri = 'tcp:127.0.0.1:0',
): Promise<{ client?: string; server?: string }> {
  const reports: string[] = [];
  const listener = await transport('server', server, reports).listen(parseMigrationUri(uri), { tls: request(server) });
  const accepted = listener.accept().catch(() => undefined);
  const problems: { client?: string; server?: string } = {};
  try {
    const to: MigrationAddress = parseMigrationUri(listener.uri);
    const channel = await transport('client', client).connect(to, AbortSignal.timeout(10_000), {
      tls: request(client),
    });
    // A server that refuses a client says so only now; TLS has let both believe that they agree.
    const answer = channel.read();
    answer.catch(() => {});
    await channel.write(new TextEncoder().encode('ping'));
    const other = await Promise.race([accepted, answer.then(() => undefined)]);
    if (other === undefined) throw new Error('refused after the handshake');
    expect(Buffer.from((await other.read())!).toString()).toBe('ping');
    await other.write(new TextEncoder().encode('pong'));
    expect(Buffer.from((await answer)!).toString()).toBe('pong');
    await Promise.all([channel.close(), other.close()]);
  } catch (error) {
    problems.client = (error as Error).message;
  }
  await listener.close();
  if (reports.length > 0) problems.server = reports.join();
  return problems;
}

let authority: TestAuthority;
let [good, other]: Identity[] = [];
let serverDirectory: string;

beforeAll(async () => {
  authority = await TestAuthority.create();
  good = await authority.issue({ name: 'C=GB, O=Example\\, Inc, CN=good', purpose: 'client' });
  other = await authority.issue({ name: 'CN=other', purpose: 'client' });
  serverDirectory = x509Directory(join(directory, 'server'), {
    ca: authority.certificate,
    server: await authority.issue({ name: 'CN=server', purpose: 'server', hosts: ['127.0.0.1', 'server.example'] }),
  });
});

let made = 0;
const clientWith = (client: Identity | undefined, ca = authority.certificate): object => ({
  dir: x509Directory(join(directory, `client${made++}`), { ca, client }),
});
const X509 = 'tls-creds-x509';
const server = (properties: object = {}, rest: Partial<Side> = {}): Side => ({
  type: X509,
  properties: { dir: serverDirectory, ...properties },
  ...rest,
});

describe('certificates', () => {
  it('both sides know each other', async () => {
    expect(await meet({ type: X509, properties: clientWith(good) }, server())).toEqual({});
  });

  it('a server for another host is refused, and what to do is told', async () => {
    const client = { type: X509, properties: clientWith(good), parameters: { hostname: 'elsewhere' } };
    expect((await meet(client, server())).client).toMatch(
      /for IP Address:127\.0\.0\.1, DNS:server\.example, not for 'elsewhere'; connect by one of these names, or set tls-hostname/,
    );
    const unix = `unix:${directory}/s`;
    const nameless = { type: X509, properties: clientWith(good) };
    expect((await meet(nameless, server(), unix)).client).toMatch(/no host name .* set tls-hostname/);
    const named = { ...nameless, parameters: { hostname: 'server.example' } };
    expect(await meet(named, server(), unix)).toEqual({});
  });

  it('a client without a certificate is refused, unless everybody may come in', async () => {
    const client = () => ({ type: X509, properties: clientWith(undefined) });
    const refused = await meet(client(), server());
    expect(refused.client).toBeDefined();
    expect(refused.server).toMatch(/client 127\.0\.0\.1: it has no certificate; .*verify-peer=off/);
    expect(await meet(client(), server({ 'verify-peer': false }))).toEqual({});
  });

  it('a stranger is refused by either side', async () => {
    const strangers = await TestAuthority.create('CN=Other authority');
    const stranger = await strangers.issue({ name: 'CN=stranger', purpose: 'client' });
    // It trusts our authority, which has not made its own certificate.
    const properties = { ...clientWith(stranger), 'sanity-check': false };
    expect((await meet({ type: X509, properties }, server())).server).toMatch(
      /'CN=stranger' was not issued by an authority of ca-cert\.pem/,
    );
    const trusting = { type: X509, properties: clientWith(stranger, strangers.certificate) };
    expect((await meet(trusting, server({ 'verify-peer': false }))).client).toMatch(
      /server's certificate 'server' was not issued by an authority/,
    );
    expect(
      await meet(
        { ...trusting, properties: { ...trusting.properties, 'verify-peer': false } },
        server({ 'verify-peer': false }),
      ),
    ).toEqual({});
  });

  it('an access list sees the name as QEMU writes it', async () => {
    const list = (identity: string): Partial<Side> => ({
      more: [{ 'qom-type': 'authz-simple', id: 'authz0', identity }],
      parameters: { authorization: 'authz0' },
    });
    const client = (identity: Identity | undefined) => ({ type: X509, properties: clientWith(identity) });
    const allowed = list('C=GB,O=Example\\, Inc,CN=good');
    expect(await meet(client(good), server({}, allowed))).toEqual({});
    expect((await meet(client(other), server({}, allowed))).server).toMatch(
      /'CN=other' is not allowed by the tls-authz/,
    );
    const missing = { parameters: { authorization: 'none' } };
    await expect(meet(client(good), server({}, missing))).rejects.toThrow("no authorization object with id 'none'");
  });

  it('a revoked certificate is refused', async () => {
    const dir = x509Directory(join(directory, 'revoking'), {
      ca: authority.certificate,
      crl: await authority.revoke(good!),
      server: await authority.issue({ name: 'CN=server', purpose: 'server', hosts: ['127.0.0.1'] }),
    });
    const refused = await meet({ type: X509, properties: clientWith(good) }, { type: X509, properties: { dir } });
    expect(refused.server).toMatch(/CN=good' has been revoked/);
    expect(await meet({ type: X509, properties: clientWith(other) }, { type: X509, properties: { dir } })).toEqual({});
  });

  it('are checked when their object is made', async () => {
    const make = async (options: Parameters<TestAuthority['issue']>[0]) =>
      transport('client', { type: X509, properties: clientWith(await authority.issue(options)) });
    await expect(make({ name: 'CN=old', purpose: 'client', days: [-3, -1] })).rejects.toThrow(
      /'CN=old' has expired at/,
    );
    await expect(make({ name: 'CN=new', purpose: 'client', days: [1, 3] })).rejects.toThrow(/not valid before/);
    await expect(make({ name: 'CN=s', purpose: 'server' })).rejects.toThrow(/not meant for a TLS client/);
    const mixed = { certificate: good!.certificate, key: other!.key };
    expect(() => transport('client', { type: X509, properties: clientWith(mixed) })).toThrow(/not the private key of/);
    expect(() => transport('client', { type: X509, properties: clientWith(good, good!.certificate) })).toThrow(
      /not the certificate of an authority/,
    );
    const empty = join(directory, 'empty.pem');
    writeFileSync(empty, '');
    const nothing = { certificate: '', key: good!.key };
    expect(() => transport('client', { type: X509, properties: clientWith(nothing) })).toThrow(/holds no certificate/);
  });

  it('expired on the way, they are refused by the other side', async () => {
    const old = await authority.issue({ name: 'CN=old', purpose: 'client', days: [-3, -1] });
    const properties = { ...clientWith(old), 'sanity-check': false };
    expect((await meet({ type: X509, properties }, server())).server).toMatch(/'CN=old' has expired/);
  });
});

describe('keys of both sides', () => {
  const keys = (name: string, known: Readonly<Record<string, string>>): Side => ({
    type: 'tls-creds-psk',
    properties: { dir: pskDirectory(join(directory, name), known) },
  });
  const key = newPsk();

  it('match, or do not', async () => {
    const known = keys('psk', { qemu: key, someone: newPsk() });
    expect(await meet(known, known)).toEqual({});
    const wrong = await meet(keys('wrong', { qemu: newPsk() }), known);
    expect(wrong.client).toMatch(/the keys differ; both sides need the same keys\.psk/);
    expect(wrong.server).toMatch(/keys differ/);
    expect((await meet(known, keys('unknown', { someone: key }))).client).toMatch(/does not know the username/);
  });

  it('are not replaced by a certificate', async () => {
    const tls13 = { type: X509, properties: { dir: serverDirectory, 'verify-peer': false } };
    const refused = await meet(keys('psk', { qemu: key }), tls13);
    expect(refused.client).toMatch(/in common|certificate/);
  });

  it('versions can be limited, but a server needs TLS 1.2', async () => {
    const known = keys('psk', { qemu: key });
    const limited = { ...known, properties: { ...known.properties, priority: 'NORMAL:-VERS-TLS1.3' } };
    expect(await meet(limited, known)).toEqual({});
    const newest = { ...known, properties: { ...known.properties, priority: 'NORMAL:-VERS-TLS1.2' } };
    await expect(meet(known, newest)).rejects.toThrow(/a server needs TLS 1\.2/);
    expect((await meet(newest, known)).client).toMatch(/no version of TLS in common/);
  });
});

it('anonymous connections are only encrypted', async () => {
  expect(await meet({ type: 'tls-creds-anon' }, { type: 'tls-creds-anon' })).toEqual({});
});

describe('not TLS at all', () => {
  const psk = (): Side => ({
    type: 'tls-creds-psk',
    properties: { dir: pskDirectory(join(directory, 'plain'), { qemu: newPsk() }) },
  });

  it('a stranger that says something else is refused, and the right one is still let in', async () => {
    const reports: string[] = [];
    const side = psk();
    const listener = await transport('server', side, reports).listen(parseMigrationUri('tcp:127.0.0.1:0'), {
      tls: request(side),
    });
    const port = Number(listener.uri.split(':').at(-1));
    const stranger = net.connect(port, '127.0.0.1', () => stranger.write('QEVM\0\0\0\x03 is no TLS'));
    await new Promise((resolve) => stranger.once('close', resolve).on('error', () => {}));
    const accepted = listener.accept();
    const channel = await transport('client', side).connect(
      parseMigrationUri(listener.uri),
      AbortSignal.timeout(10_000),
      {
        tls: request(side),
      },
    );
    await channel.write(Uint8Array.of(1));
    expect((await (await accepted).read())![0]).toBe(1);
    expect(reports).toEqual([expect.stringMatching(/does not speak TLS; set its tls-creds too/)]);
    await Promise.all([channel.close(), (await accepted).close(), listener.close()]);
  });

  it('files and commands cannot be secured', async () => {
    const side = psk();
    for (const uri of ['file:/tmp/never', 'exec:cat'])
      await expect(
        transport('client', side).connect(parseMigrationUri(uri), AbortSignal.timeout(1000), { tls: request(side) }),
      ).rejects.toThrow(/TLS needs a connection both ways/);
  });

  it('credentials must be there, and for this end', async () => {
    const to = parseMigrationUri('tcp:127.0.0.1:1');
    const connect = (end: 'client' | 'server', tls: TlsRequest) =>
      transport(end, psk()).connect(to, AbortSignal.timeout(1000), { tls });
    await expect(connect('client', { ...request(psk()), credentials: 'none' })).rejects.toMatchObject({
      code: 'STERNA_ERR_TLS',
      message: "No TLS credentials with id 'none'",
    });
    await expect(connect('server', request(psk()))).rejects.toThrow('Expected TLS credentials for a client endpoint');
  });
});
