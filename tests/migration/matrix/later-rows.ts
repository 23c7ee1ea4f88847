import type { Row } from './row.ts';

const rows = (later: string, names: Readonly<Record<string, string>>): readonly Row[] =>
  Object.entries(names).map(([name, proves]) => ({ name, proves, later }));

/** Tests of features that have not landed, or that need what this emulator does not have. */
export const LATER_ROWS: readonly Row[] = [
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
