import type { Row } from './row.ts';

const rows = (later: string, names: Readonly<Record<string, string>>): readonly Row[] =>
  Object.entries(names).map(([name, proves]) => ({ name, proves, later }));

/** Tests of features that have not landed, or that need what this emulator does not have. */
export const LATER_ROWS: readonly Row[] = [
  ...rows('multifd', {
    'multifd/tcp/uri/plain/none, multifd/tcp/channels/plain/none': 'several channels, by URI and by JSON',
    'multifd/tcp/plain/zlib, zstd, qatzip, qpl, uadk': 'compressed channels',
    'multifd/tcp/plain/zero-page/legacy, none': 'where zero pages are found',
    'multifd/tcp/plain/cancel': 'cancel, the destination is killed, a second migration succeeds',
  }),
  ...rows('postcopy', {
    'postcopy/plain, preempt/plain, suspend, tls/psk': 'the guest moves first, its memory follows',
    'postcopy/recovery/plain, preempt/recovery/..., recovery/tls': 'a broken connection is repaired',
    'postcopy/recovery/double-failures/handshake, reconnect': 'a failed repair can be tried again',
  }),
  ...rows('CPR', {
    'mode/reboot': 'a new process takes over through a file',
    'mode/transfer, mode/transfer/defer': 'a new process takes over memory and descriptors',
  }),
  {
    name: 'ignore-shared',
    proves: 'shared memory is not sent',
    instead: 'not offered, see [decision 0007](../decisions/0007-ignore-shared.md)',
  },
];
