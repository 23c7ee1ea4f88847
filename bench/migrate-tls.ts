import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TestAuthority, x509Directory } from '../tests/support/tls-files.ts';
import type { Vm } from '../tests/support/vm.ts';
import type { TickGuest } from './tick-guest.ts';

const HOST = 'bench.example';

/** Certificates, made once. */
let certificates: Promise<string> | undefined;

async function makeCertificates(): Promise<string> {
  const authority = await TestAuthority.create();
  return x509Directory(mkdtempSync(join(tmpdir(), 'sterna-migrate-tls-')), {
    ca: authority.certificate,
    server: await authority.issue({ name: `CN=${HOST}`, purpose: 'server', hosts: [HOST] }),
    client: await authority.issue({ name: 'CN=client', purpose: 'client' }),
  });
}

async function secure(vm: Vm, endpoint: 'client' | 'server'): Promise<void> {
  certificates ??= makeCertificates();
  const dir = await certificates;
  await vm.qmp.executeAny('object-add', { 'qom-type': 'tls-creds-x509', id: 'tls0', dir, endpoint });
  await vm.qmp.executeAny('migrate-set-parameters', { 'tls-creds': 'tls0', 'tls-hostname': HOST });
}

/** As `full`, over TLS with certificates; `tls` is compared with the same migration without it, `tlsPeer` with QEMU. */
const CASE = {
  guest: { filledMiB: 900 } satisfies TickGuest,
  memoryMiB: 1024,
  parameters: { 'max-bandwidth': 0 },
  prepare: secure,
} as const;
export const TLS_CASES = { tls: { ...CASE, against: 'plain' }, tlsPeer: CASE } as const;
