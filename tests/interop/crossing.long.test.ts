import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { missing } from '../support/peers.ts';
import { PROGRAMS } from '../support/vm.ts';
import { cross, PEERS } from './crossing.ts';
import { resultKey, versions, writeTable } from './document.ts';
import { debianGuest } from './guests.ts';
import { ROWS } from './rows.ts';

const reason = missing({ apt: true, programs: [PROGRAMS['qemu-7.2'], PROGRAMS['qemu-new']] });
/** Crossings of the endurance run. */
const MANY = 50;

describe.skipIf(reason !== '')(`every way to cross, in both directions, with each QEMU ${reason}`, () => {
  const results = new Map<string, string>();
  beforeAll(() => console.log(versions()));
  // STERNA_RECORD=1 writes the table of the reference.
  afterAll(() => {
    if (process.env['STERNA_RECORD'] === '1') writeTable(results);
  });

  for (const row of ROWS)
    for (const peer of row.peers ?? PEERS)
      for (const first of ['sterna', 'qemu'] as const)
        it(`${row.name}: ${first === 'sterna' ? `sterna, ${peer}` : `${peer}, sterna`}`, async () => {
          const pair = first === 'sterna' ? ['sterna', peer] : [peer, 'sterna'];
          results.set(resultKey(row.name, peer, first), 'fails');
          const { hops } = await cross(row, [...pair, pair[0]!]);
          results.set(resultKey(row.name, peer, first), `${hops.length} hops`);
        });
});

describe.skipIf(reason !== '')(`a Debian guest that dirties 20 MB/s ${reason}`, () => {
  it.each(PEERS)(
    `crosses ${MANY} times in each direction, %s`,
    async (peer) => {
      const guest = await debianGuest({ mbps: 20, mib: 32 });
      const steps = ['sterna', ...Array.from({ length: MANY }, () => [peer, 'sterna']).flat()];
      const { hops } = await cross({ name: 'many', guest: 'debian' }, steps, guest);
      const to = (program: string): number => hops.filter((hop) => hop.to === program).length;
      expect([to(peer), to('sterna')]).toEqual([MANY, MANY]);
      const downtimes = hops.map(({ outcome }) => outcome!.downtimeMs).sort((a, b) => a - b);
      console.log(`${peer}: downtime median ${downtimes[MANY]} ms, most ${downtimes.at(-1)} ms`);
    },
    3_600_000,
  );
});
