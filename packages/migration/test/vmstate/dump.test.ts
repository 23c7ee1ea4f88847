import { expect, test } from 'vitest';
import { dumpVmState } from '../../src/vmstate/dump.ts';
import { counterTable } from '../support/fake-host.ts';

test('prints tables without a device, in the shape of the static checker', () => {
  const dump = dumpVmState('microvm', new Map([['counter-device', { table: counterTable }]]));
  expect(dump.vmschkmachine).toEqual({ Name: 'microvm' });
  expect(dump['counter-device']).toEqual({
    Name: 'counter-device',
    version_id: 2,
    minimum_version_id: 1,
    Description: {
      name: 'counter',
      version_id: 2,
      minimum_version_id: 1,
      Fields: [
        { field: 'ticks', version_id: 0, field_exists: false, size: 4 },
        { field: 'unused', version_id: 0, field_exists: false, size: 3 },
        { field: 'deadline', version_id: 2, field_exists: false, size: 8 },
        { field: 'log', version_id: 0, field_exists: false, size: 4, num: 4 },
      ],
      Subsections: [
        {
          name: 'counter/late',
          version_id: 1,
          minimum_version_id: 1,
          Fields: [{ field: 'ticks', version_id: 0, field_exists: false, size: 4 }],
        },
      ],
    },
  });
});
