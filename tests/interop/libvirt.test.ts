import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fetchDebianPackage } from '@sterna/guests/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { missing } from '../support/peers.ts';
import { PROGRAMS } from '../support/vm.ts';

const reason = missing({ apt: true });

/** libvirt and what it needs beyond the libraries that QEMU needs too. */
const PACKAGES = [
  'libvirt-clients',
  'libvirt-daemon',
  'libvirt-daemon-driver-qemu',
  'libvirt0',
  'libyajl2',
  'libssh-4',
  // gives libvirt the system user that its package would make
  'libnss-wrapper',
] as const;
const LIBRARIES = 'usr/lib/x86_64-linux-gnu';

describe.skipIf(reason !== '')(`Debian's libvirt, unchanged ${reason}`, () => {
  const home = mkdtempSync(join(tmpdir(), 'sterna-libvirt-'));
  const roots = new Map<string, string>();
  const log = join(home, 'log');
  beforeAll(async () => {
    for (const name of PACKAGES) roots.set(name, (await fetchDebianPackage(name)).root);
    const user = (file: string, line: string): void =>
      writeFileSync(join(home, file), `${readFileSync(`/etc/${file}`, 'utf8')}${line}\n`);
    user('passwd', `libvirt-qemu:x:${process.getuid!()}:${process.getgid!()}::/:/bin/false`);
    user('group', `libvirt-qemu:x:${process.getgid!()}:\nkvm:x:${process.getgid!()}:`);
    mkdirSync(join(home, 'etc'));
    writeFileSync(join(home, 'etc/qemu.conf'), 'security_driver = "none"\ncgroup_controllers = []\n');
  }, 120_000);
  afterAll(() => rmSync(home, { recursive: true, force: true }));

  const virsh = (...args: readonly string[]) =>
    spawnSync(join(roots.get('libvirt-clients')!, 'usr/bin/virsh'), ['-c', `qemu:///embed?root=${home}`, ...args], {
      encoding: 'utf8',
      timeout: 100_000,
      env: {
        ...process.env,
        LD_LIBRARY_PATH: [...roots.values()].map((root) => join(root, LIBRARIES)).join(':'),
        LD_PRELOAD: join(roots.get('libnss-wrapper')!, LIBRARIES, 'libnss_wrapper.so'),
        NSS_WRAPPER_PASSWD: join(home, 'passwd'),
        NSS_WRAPPER_GROUP: join(home, 'group'),
        LIBVIRT_DRIVER_DIR: join(roots.get('libvirt-daemon-driver-qemu')!, LIBRARIES, 'libvirt/connection-driver'),
        LIBVIRT_DEBUG: '1',
        LIBVIRT_LOG_OUTPUTS: `1:file:${log}`,
        XDG_RUNTIME_DIR: home,
        XDG_CACHE_HOME: join(home, 'cache'),
      },
    });

  it('starts the program, asks it over QMP for all it offers, and makes capabilities of a domain of that', () => {
    const run = virsh(
      'domcapabilities',
      '--emulatorbin',
      PROGRAMS.sterna,
      '--machine',
      'microvm',
      '--virttype',
      'qemu',
    );
    expect(run.stderr).not.toMatch(/^error:/m);
    expect(run.stdout).toMatch(/<machine>microvm<\/machine>\s*<arch>x86_64<\/arch>\s*<vcpu max='288'\/>/);
    expect(run.stdout).toContain("<mode name='maximum' supported='yes'>");
    const asked = readFileSync(log, 'utf8').match(/(?<=QEMU_MONITOR_SEND_MSG: .*"execute":")[a-z_-]+/g) ?? [];
    expect([...new Set(asked)]).toEqual(
      expect.arrayContaining([
        'qmp_capabilities',
        'query-version',
        'query-target',
        'query-qmp-schema',
        'qom-list-types',
        'device-list-properties',
        'qom-list-properties',
        'query-machines',
        'query-cpu-definitions',
        'query-cpu-model-expansion',
        'query-command-line-options',
        'query-migrate-capabilities',
      ]),
    );
  });
});
