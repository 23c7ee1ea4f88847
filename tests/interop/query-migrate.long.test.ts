import { describe, expect, it } from 'vitest';
import { missing } from '../support/peers.ts';
import { PROGRAMS } from '../support/vm.ts';
import { observe } from './query-migrate-keys.ts';

const reason = missing({ programs: [PROGRAMS['qemu-new']] });

describe.skipIf(reason !== '')(`query-migrate answers what QEMU answers ${reason}`, () => {
  it.for([
    ['multifd', ['multifd']],
    ['XBZRLE', ['xbzrle', 'return-path']],
    ['a return path', ['return-path', 'auto-converge']],
  ] as const)('with %s', async ([, capabilities]) => {
    const [mine, theirs] = [await observe('sterna', capabilities), await observe('qemu-new', capabilities)];
    expect(mine).toEqual(theirs);
  });
});
