import type { Cr16 } from './cr16.ts';
import { ADDRESS_MASK } from './memory.ts';
import { PSR } from './psr.ts';
import { CFG_ED } from './registers.ts';

/** Numbers of exceptions in the dispatch table (Programmer's Reference Manual, chapter 3). */
export const EXCEPTION = { SVC: 5, DVZ: 6, FLG: 7, BPT: 8, TRC: 9, UND: 10, IAD: 12, DBG: 14 } as const;

/** What an exception does not leave set. */
const CLEARED = PSR.P | PSR.T | PSR.U;

/**
 * Enters an exception: status and return address go to the interrupt stack, the handler's address comes from the dispatch
 * table at INTBASE. Its entries hold an address without its lowest bit, in 16 bits or, with CFG.ED, in 32.
 *
 * @param clear - further status bits to clear
 */
export function enterException(cpu: Cr16, vector: number, returnTo: number, clear: number): void {
  const { registers, memory } = cpu;
  const frame = (registers.isp - 6) & ADDRESS_MASK;
  const wide = (registers.cfg & CFG_ED) !== 0;
  const entry = (registers.intbase + vector * (wide ? 4 : 2)) & ADDRESS_MASK;
  memory.probe(frame, 6, true);
  const handler = memory.read(entry, wide ? 4 : 2);
  memory.write(frame, 4, returnTo >>> 1);
  memory.write((frame + 4) & ADDRESS_MASK, 2, registers.psr);
  registers.isp = frame;
  registers.psr &= ~(CLEARED | clear);
  registers.waiting = false;
  cpu.next = (handler << 1) & ADDRESS_MASK;
}

/** RETX: takes back what {@link enterException} has put on the interrupt stack. */
export function returnFromException(cpu: Cr16): void {
  const { registers, memory } = cpu;
  memory.probe(registers.isp, 6, false);
  const pc = memory.read(registers.isp, 4);
  const psr = memory.read((registers.isp + 4) & ADDRESS_MASK, 2);
  registers.isp += 6;
  registers.psr = psr;
  cpu.next = (pc << 1) & ADDRESS_MASK;
}
