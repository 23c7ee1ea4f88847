import { CpuExit } from '@sterna/core';
import { deliverFault } from '../../system/deliver.ts';
import type { Machine } from '../machine.ts';

/**
 * Ends an instruction that went through microcode for far transfers: a task switch may have left an exception that belongs
 * to the new task, which is delivered at the new `rip`.
 */
export function finishFar(m: Machine): void {
  m.if(
    m.get('lateFault'),
    () => {
      m.put('lateFault', 0);
      m.if(m.call(m.functionOf(deliverFault)), () => m.exit(CpuExit.SHUTDOWN));
    },
    undefined,
    false,
  );
  m.refetch();
}
