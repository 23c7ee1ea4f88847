import { describe, expect, it } from 'vitest';
import { missing } from '../support/peers.ts';
import { PROGRAMS } from '../support/vm.ts';
import { observe } from './query-migrate-keys.ts';

const reason = missing({ programs: [PROGRAMS['qemu-new']] });

describe.skipIf(reason !== '')(`query-migrate answers what QEMU answers ${reason}`, () => {
  it('before, during and after a migration', async () => {
    const [mine, theirs] = [await observe('sterna', []), await observe('qemu-new', [])];
    expect(mine).toEqual(theirs);
  });
});
