import { fetchLinuxGuest } from '@sterna/guests/node';
import { expect, it } from 'vitest';
import { missing } from '../support/peers.ts';
import { last, returns, ticks, withStore } from '../support/snapshot-vm.ts';

const apt = missing({ apt: true });
it.skipIf(apt !== '')(`a Debian guest goes back and checks its memory ${apt}`, async () => {
  const { kernel, initrd } = await fetchLinuxGuest();
  const append = 'console=ttyS0 st=tick tick=20,20,32,0';
  const args = ['-M', 'microvm', '-m', '192', '-kernel', kernel.path, '-initrd', initrd, '-append', append];
  await withStore(args, async (vm, _hmp, job) => {
    await vm.until('ticks', () => ticks(vm).length > 20, 120_000);
    for (let round = 0; round < 3; round++) {
      expect(await job('save', `s${round}`)).toBeUndefined();
      const saved = last(vm);
      await vm.until('the guest to go on', () => last(vm) > saved + 10);
      expect(await job('load', `s${round}`)).toBeUndefined();
      await vm.until('the guest to go back', () => returns(vm).length === round + 1);
      expect(returns(vm).at(-1)).toBeLessThanOrEqual(saved + 1);
      await vm.until('the guest to go on again', () => last(vm) > saved + 20);
    }
    expect(vm.serial).not.toContain('BAD');
  });
});
