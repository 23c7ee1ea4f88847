import { type Micro, micro } from '../semantics/micro.ts';

const shutDown = (name: string, params: readonly 'i32'[]): Micro =>
  micro(name, params, ['i32'], (m) => {
    m.put('exitReason', 2);
    m.return(m.i32(1));
  });

/** Delivers the exception in excVector/excError at `rip`. Returns 0 to go on at `rip`, 1 to shut down. */
export const deliverFault: Micro = shutDown('deliver_fault', []);
/** Delivers an external interrupt (kind 0) or NMI (kind 1). */
export const deliverInterrupt: Micro = shutDown('deliver_interrupt', ['i32', 'i32']);
/** Delivers the single-step trap at `rip`. */
export const takeDebugTrap: Micro = shutDown('debug_trap', []);
