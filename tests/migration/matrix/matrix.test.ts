import { describe, it } from 'vitest';
import { missing } from '../../support/peers.ts';
import { PROGRAMS } from '../../support/vm.ts';
import { type Direction, directionText, SELF } from './row.ts';
import { ROWS } from './rows.ts';

/** Programs other than ours that a direction needs. */
function programs({ from, to }: Direction): string[] {
  return [from, to].filter((name) => name !== 'sterna').map((name) => PROGRAMS[name]);
}

describe("QEMU's migration tests", () => {
  for (const { name, run, directions = [SELF] } of ROWS) {
    if (run === undefined) continue;
    for (const direction of directions) {
      const reason = missing({ programs: programs(direction) });
      it.skipIf(reason !== '')(`${name}: ${directionText(direction)} ${reason}`, () => run(direction));
    }
  }
});
