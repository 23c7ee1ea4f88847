import { beforeAll, describe, it } from 'vitest';
import { missing } from '../support/peers.ts';
import { PROGRAMS } from '../support/vm.ts';
import { cross } from './crossing.ts';
import { versions } from './document.ts';

const reason = missing({ programs: [PROGRAMS['qemu-7.2'], PROGRAMS['qemu-new']] });
const linux = reason === '' ? missing({ apt: true }) : reason;

describe.skipIf(reason !== '')(`guests cross between Sterna and two versions of QEMU ${reason}`, () => {
  beforeAll(() => console.log(versions()));

  it('from QEMU to QEMU by way of Sterna', async () => {
    await cross({ name: 'mixed' }, ['sterna', 'qemu-new', 'sterna', 'qemu-7.2', 'sterna', 'qemu-new', 'qemu-7.2']);
  });

  it('with two vCPUs, over tcp', async () => {
    await cross({ name: 'smp', smp: 2, channel: 'tcp' }, ['qemu-7.2', 'sterna', 'qemu-new', 'sterna']);
  });

  it('through reset, pause and a file between the crossings', async () => {
    await cross({ name: 'life' }, [
      'qemu-new',
      'sterna',
      'pause',
      'restore',
      'sterna',
      'qemu-new',
      'restore',
      'sterna',
    ]);
  });

  it.each([
    ['exec', { channel: 'exec' }, ['qemu-7.2', 'sterna', 'qemu-7.2']],
    ['a file', { channel: 'file' }, ['qemu-new', 'sterna', 'qemu-new']],
    ['pause-before-switchover', { capabilities: ['pause-before-switchover'] }, ['sterna', 'qemu-7.2', 'sterna']],
    ['return-path', { capabilities: ['return-path', 'switchover-ack'] }, ['sterna', 'qemu-new', 'sterna']],
    ['auto-converge, no ACPI', { capabilities: ['auto-converge'], acpi: false }, ['qemu-new', 'sterna', 'qemu-new']],
  ] as const)('%s', async (name, options, steps) => {
    await cross({ name, ...options }, steps);
  });

  it.skipIf(linux !== '')(`a Debian guest under load ${linux}`, async () => {
    await cross({ name: 'Debian', guest: 'debian' }, ['qemu-7.2', 'sterna', 'qemu-new', 'sterna']);
  });
});
