import { type Micro, micro } from '../semantics/micro.ts';
import { countSuccessor } from './profile.ts';
import { REC } from './records.ts';

const HANDLER_TYPE = { params: ['i32'], results: ['i32'] } as const;

/**
 * Runs the translated region of a record, and those that regions lead to. Regions count themselves, in `icLeft`. Returns the
 * record where the interpreter goes on, or a Leave code. Parameters: record, first number that is a region's and no handler's.
 */
export const runRegions: Micro = micro('run_regions', ['i32', 'i32'], ['i32'], (m) => {
  const record = m.param('i32', 0);
  m.loop((next) => {
    m.set(record, m.callIndirect(HANDLER_TYPE, m.load('i32.16u', record, REC.handler), [record]));
    m.if(m.ltU(record, 16), () => m.return(record), undefined, false);
    m.brIf(next, m.geU(m.load('i32.16u', record, REC.handler), m.param('i32', 1)), true);
  });
  countSuccessor(m, record);
  m.return(record);
});
