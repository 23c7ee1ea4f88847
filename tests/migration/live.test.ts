import { fetchLinuxGuest } from '@sterna/guests/node';
import { beforeAll, describe, expect, it } from 'vitest';
import { missing } from '../support/peers.ts';
import { checkTicks } from '../support/ticks.ts';
import { migrate, Vm } from '../support/vm.ts';

const reason = missing({ apt: true });
/** Hops of the long run; the issue asks for 20 in a row. */
const HOPS = process.env['STERNA_LONG'] === '1' ? 20 : 4;

describe.skipIf(reason !== '')(`live migration of a Debian guest that dirties 20 MB/s ${reason}`, () => {
  let args: readonly string[];
  beforeAll(async () => {
    const { kernel, initrd } = await fetchLinuxGuest();
    args = [
      '-M',
      'microvm',
      '-m',
      '256',
      '-kernel',
      kernel.path,
      '-initrd',
      initrd,
      '-append',
      'console=ttyS0 st=tick tick=20,20,64,0',
    ];
  }, 120_000);

  it.each(['unix', 'tcp'])('keeps every tick and all memory over %s, hop after hop', async (kind) => {
    const vms = [await Vm.start('sterna', args)];
    try {
      await vms[0]!.says(/TICK 20 /, 120_000);
      for (let hop = 0; hop < HOPS; hop++) {
        const source = vms.at(-1)!;
        const destination = await Vm.start('sterna', [...args, '-incoming', 'defer']);
        vms.push(destination);
        const uri =
          kind === 'unix'
            ? `unix:${destination.directory}/migration`
            : `tcp:127.0.0.1:${24_000 + (process.pid % 5000) + hop}`;
        const outcome = await migrate(source, destination, uri);
        expect(outcome).toMatchObject({ status: 'completed', errorDesc: undefined });
        expect(await source.qmp.executeAny('query-status')).toMatchObject({ status: 'postmigrate', running: false });
        const before = [...destination.serial.matchAll(/TICK/g)].length;
        await destination.until(
          'ticks after the move',
          ({ serial }) => [...serial.matchAll(/TICK/g)].length > before + 25,
        );
        // What the source printed before its end arrives here before its process goes.
        await source[Symbol.asyncDispose]();
      }
      const report = checkTicks(vms.map(({ serial }) => serial).join(''));
      expect(report.faults).toEqual([]);
      expect(report.count).toBeGreaterThan(HOPS * 25);
    } finally {
      for (const vm of vms) await vm[Symbol.asyncDispose]();
    }
  });
});
