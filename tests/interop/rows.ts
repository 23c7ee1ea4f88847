import type { Crossing } from './crossing.ts';

const UUID = '11111111-2222-3333-4444-555555555555';

/** Ways to cross, in the order of the table in `docs/reference/interop.md`. */
export const ROWS: readonly Crossing[] = [
  { name: 'plain, `unix:`' },
  { name: 'plain, `tcp:`', channel: 'tcp' },
  { name: 'plain, `exec:`', channel: 'exec' },
  { name: 'plain, a file (`file:`; 7.2 has none: `exec:cat`)', channel: 'file' },
  { name: 'without ACPI', acpi: false },
  { name: 'two vCPUs', smp: 2 },
  { name: 'two vCPUs, without ACPI', smp: 2, acpi: false },
  { name: '`auto-converge`', capabilities: ['auto-converge'] },
  { name: '`pause-before-switchover`', capabilities: ['pause-before-switchover'] },
  { name: '`return-path`', capabilities: ['return-path'] },
  { name: '`return-path`, `switchover-ack`', capabilities: ['return-path', 'switchover-ack'], peers: ['qemu-new'] },
  { name: '`validate-uuid`', capabilities: ['validate-uuid'], args: ['-uuid', UUID] },
  { name: '`events`, limited bandwidth', capabilities: ['events'], parameters: { 'max-bandwidth': 20_000_000 } },
  { name: 'Debian', guest: 'debian' },
  { name: 'Debian, two vCPUs', guest: 'debian', smp: 2 },
  { name: 'Debian, without ACPI', guest: 'debian', acpi: false },
];
