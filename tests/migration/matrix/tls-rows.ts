import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { newPsk, pskDirectory, TestAuthority, x509Directory } from '../../support/tls-files.ts';
import { NEVER, PatternPair, type PatternVm, SOON } from './pattern-pair.ts';
import { type Direction, onlyPeer, type Row, SELF, withPeer } from './row.ts';

/** Names of QEMU's tests (tests/qtest/migration/tls-tests.c). */
const [SERVER, CLIENT, HOSTILE] = ['qemu.org', 'qemu.example.client', 'qemu.example.hostile'];

/** What is written for one test. */
interface Files {
  readonly directory: string;
  readonly authority: TestAuthority;
}

/** One side's objects and parameters. */
interface Side {
  readonly objects: readonly object[];
  readonly parameters?: Readonly<Record<string, unknown>>;
}

/** A test with TLS: what both sides are given, and how it ends. */
interface TlsTest {
  readonly over: 'tcp' | 'unix';
  readonly client: (files: Files) => Promise<Side>;
  readonly server: (files: Files) => Promise<Side>;
  /** What the source says when it fails; without it the guest moves. */
  readonly fails?: RegExp;
  readonly multifd?: boolean;
}

const psk = (directory: string, endpoint: string, key: string): Side => ({
  objects: [{ 'qom-type': 'tls-creds-psk', id: 'tls0', endpoint, dir: pskDirectory(directory, { qemu: key }) }],
});

/** The server's certificate is for SERVER and 127.0.0.1. */
const x509Server =
  (options: { readonly verifyPeer?: boolean; readonly allowed?: string; readonly hosts?: readonly string[] } = {}) =>
  async ({ directory, authority }: Files): Promise<Side> => {
    const hosts = options.hosts ?? [SERVER, '127.0.0.1'];
    const dir = x509Directory(join(directory, 'server'), {
      ca: authority.certificate,
      server: await authority.issue({ name: `CN=${hosts[0]}`, purpose: 'server', hosts }),
    });
    const credentials = {
      ...{ 'qom-type': 'tls-creds-x509', id: 'tls0', endpoint: 'server', dir, 'sanity-check': true },
      'verify-peer': options.verifyPeer ?? true,
    };
    if (options.allowed === undefined) return { objects: [credentials] };
    const list = { 'qom-type': 'authz-simple', id: 'authz0', identity: `CN=${options.allowed}` };
    return { objects: [credentials, list], parameters: { 'tls-authz': 'authz0' } };
  };

const x509Client =
  (options: { readonly name?: string | null; readonly hostname?: string } = {}) =>
  async ({ directory, authority }: Files): Promise<Side> => {
    const { name = CLIENT, hostname } = options;
    const dir = x509Directory(join(directory, 'client'), {
      ca: authority.certificate,
      client: name === null ? undefined : await authority.issue({ name: `CN=${name}`, purpose: 'client' }),
    });
    return {
      objects: [{ 'qom-type': 'tls-creds-x509', id: 'tls0', endpoint: 'client', dir, 'sanity-check': true }],
      ...(hostname === undefined ? {} : { parameters: { 'tls-hostname': hostname } }),
    };
  };

async function give(vm: PatternVm, { objects, parameters = {} }: Side): Promise<void> {
  for (const object of objects) await vm.qmp('object-add', object);
  await vm.parameters({ 'tls-creds': 'tls0', ...parameters });
}

async function run({ over, client, server, fails, multifd = false }: TlsTest, direction: Direction): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'sterna-tls-'));
  try {
    await using pair = await PatternPair.start({
      ...direction,
      capabilities: multifd ? ['multifd'] : [],
      // It synchronises channels as no other version does.
      sourceArgs: multifd && direction.from === 'sterna' && direction.to === 'qemu-7.2' ? ['-M', 'wire=qemu-7.2'] : [],
    });
    const { source, destination } = pair;
    const files = { directory, authority: await TestAuthority.create() };
    await give(source, await client(files));
    await give(destination, await server(files));
    await source.boot();
    await source.parameters(fails === undefined ? NEVER : SOON);
    const incoming = over === 'tcp' ? 'tcp:127.0.0.1:0' : `unix:${pair.path('mig')}`;
    await destination.qmp('migrate-incoming', { uri: incoming });
    await source.qmp('migrate', { uri: over === 'tcp' ? await pair.tcpUri() : incoming });
    if (fails === undefined) {
      await pair.checkUnderWay();
      await source.parameters(SOON);
      await pair.finish();
      return;
    }
    const { 'error-desc': reason } = await source.until('failed', ({ status }) => status === 'failed');
    if (direction.from === 'sterna') expect(reason).toMatch(fails);
    await source.saysB();
    expect(await source.runState()).toBe('running');
    // Whom it has refused it waits on for another; a client that went away by itself was one that failed.
    if (direction.to === 'sterna') {
      expect(await destination.runState()).toBe('inmigrate');
      expect(['setup', 'failed']).toContain((await destination.info()).status);
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const shared = newPsk();
const PSK_MATCH = {
  client: async ({ directory }: Files) => psk(join(directory, 'client'), 'client', shared),
  server: async ({ directory }: Files) => psk(join(directory, 'server'), 'server', shared),
};
const PSK_MISMATCH = {
  client: async ({ directory }: Files) => psk(join(directory, 'client'), 'client', newPsk()),
  server: PSK_MATCH.server,
  // A QEMU only breaks the connection off.
  fails: /keys|broke/,
};

/** QEMU says it with other words than we do to the refused; our own refusals name the reason. */
const REFUSED = /EPIPE|ECONNRESET|refuse|broke/;

const X509: Readonly<Record<string, Pick<TlsTest, 'client' | 'server' | 'fails'> & { readonly proves: string }>> = {
  'default-host': {
    proves: "the certificate is for the address's host",
    client: x509Client(),
    server: x509Server(),
  },
  'override-host': {
    proves: 'the certificate is for another name, which tls-hostname says',
    client: x509Client({ hostname: SERVER }),
    server: x509Server({ hosts: [SERVER] }),
  },
  'mismatch-host': {
    proves: 'a certificate for another host is refused',
    client: x509Client(),
    server: x509Server({ hosts: [SERVER] }),
    fails: /certificate is for DNS:qemu\.org, not for '127\.0\.0\.1'/,
  },
  'friendly-client': {
    proves: 'an access list lets its client in',
    client: x509Client(),
    server: x509Server({ allowed: CLIENT }),
  },
  'hostile-client': {
    proves: 'an access list keeps others out',
    client: x509Client({ name: HOSTILE }),
    server: x509Server({ allowed: CLIENT }),
    fails: REFUSED,
  },
  'allow-anon-client': {
    proves: 'verify-peer=off lets a client in that has no certificate',
    client: x509Client({ name: null }),
    server: x509Server({ verifyPeer: false }),
  },
  'reject-anon-client': {
    proves: 'otherwise it is refused',
    client: x509Client({ name: null }),
    server: x509Server(),
    fails: REFUSED,
  },
};

const row = (
  name: string,
  proves: string,
  test: TlsTest,
  directions: readonly Direction[],
  longDirections: readonly Direction[] = [],
): Row => ({ name, proves, directions, longDirections, run: (direction) => run(test, direction) });

/** Those that every run makes; `packages/migration/test/node/tls.test.ts` refuses in all ways that there are. */
const SHORT: ReadonlySet<string> = new Set(['mismatch-host', 'friendly-client', 'hostile-client']);
const ALL_PEERS = [...onlyPeer('qemu-7.2'), ...onlyPeer('qemu-new')];

/** QEMU has no tests of access lists with multifd. */
const MULTIFD_X509 = ['default-host', 'override-host', 'mismatch-host', 'allow-anon-client', 'reject-anon-client'];

/** QEMU's tests of TLS. */
export const TLS_ROWS: readonly Row[] = [
  row(
    'precopy/unix/tls/psk',
    'TLS with a key of both sides, over a unix socket',
    { over: 'unix', ...PSK_MATCH },
    withPeer('qemu-7.2'),
    onlyPeer('qemu-new'),
  ),
  row(
    'precopy/unix/tls/x509/default-host',
    'without a host in the address there is nothing to check the certificate against: refused',
    { over: 'unix', client: x509Client(), server: x509Server(), fails: /tls-hostname/ },
    [],
    [SELF, ...onlyPeer('qemu-new')],
  ),
  row(
    'precopy/unix/tls/x509/override-host',
    'tls-hostname says the name',
    { over: 'unix', client: x509Client({ hostname: SERVER }), server: x509Server() },
    onlyPeer('qemu-new'),
    [SELF, ...onlyPeer('qemu-7.2')],
  ),
  row(
    'precopy/tcp/tls/psk/match',
    'TLS with a key of both sides, over tcp',
    { over: 'tcp', ...PSK_MATCH },
    [],
    [SELF, ...ALL_PEERS],
  ),
  row(
    'precopy/tcp/tls/psk/mismatch',
    'a wrong key is refused, the guest runs on',
    { over: 'tcp', ...PSK_MISMATCH },
    [],
    [SELF, ...ALL_PEERS],
  ),
  ...Object.entries(X509).map(([name, { proves, ...test }]) =>
    row(
      `precopy/tcp/tls/x509/${name}`,
      proves,
      { over: 'tcp', ...test },
      SHORT.has(name) ? [SELF] : [],
      SHORT.has(name) ? ALL_PEERS : [SELF, ...ALL_PEERS],
    ),
  ),
  row(
    'multifd/tcp/tls/psk/match',
    'TLS on every channel',
    { over: 'tcp', multifd: true, ...PSK_MATCH },
    onlyPeer('qemu-new'),
    [SELF, ...onlyPeer('qemu-7.2')],
  ),
  row(
    'multifd/tcp/tls/psk/mismatch',
    'a wrong key is refused, the guest runs on',
    { over: 'tcp', multifd: true, ...PSK_MISMATCH },
    [],
    [SELF, ...ALL_PEERS],
  ),
  ...MULTIFD_X509.map((name) => {
    const { proves, ...test } = X509[name]!;
    return row(
      `multifd/tcp/tls/x509/${name}`,
      proves,
      { over: 'tcp', multifd: true, ...test },
      [],
      [SELF, ...ALL_PEERS],
    );
  }),
];
