const XEN = 'it is about hosts that run Xen';
const COLO = 'COLO has not landed yet';
const POSTCOPY = 'postcopy has not landed yet';

/**
 * Commands of QEMU's about migration that are not here, and why. They are answered as QEMU answers commands that were
 * left out when it was built: they do not exist, and the reason is told. `docs/reference/migration-qmp.md` lists them.
 */
export const REFUSED_COMMANDS: Readonly<Record<string, string>> = {
  'migrate-start-postcopy': POSTCOPY,
  'migrate-recover': POSTCOPY,
  'migrate-pause': POSTCOPY,
  'x-colo-lost-heartbeat': COLO,
  'query-colo-status': COLO,
  'query-migrationthreads': 'QEMU 11 has no such command any more',
  client_migrate_info: 'there is no SPICE or VNC display whose clients could follow the guest',
  'announce-self': 'there are no network devices that could announce themselves',
  'xen-save-devices-state': XEN,
  'xen-load-devices-state': XEN,
  'xen-set-global-dirty-log': XEN,
  'xen-set-replication': XEN,
  'query-xen-replication-status': XEN,
  'xen-colo-do-checkpoint': XEN,
};
