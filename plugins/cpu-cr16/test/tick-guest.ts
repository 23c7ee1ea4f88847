import { CR16_IRQ, CR16_MAP, ICU_REGISTERS } from '../src/board/memory-map.ts';
import { Assembler } from './assembler.ts';

const { uart, timer, icu } = CR16_MAP;
/** Where the guest counts interrupts. */
export const COUNTER = 0x8000;
const TABLE = 0x4000;
/** Numbers of processor registers. */
const PSR = 9;
const INTBASE = 10;
const ISP = 12;
/** Maskable interrupts on: I and E. */
const INTERRUPTS = 0xa00;
const WAIT = 0x0006;
const RETX = 0x0003;
const PUSH_R0_R1 = 0x0110;
const POP_R0_R1 = 0x0210;
/** `subw r4,r1` */
const SUBTRACT = 0x3b41;

/** Says hello, then counts interrupts of the timer, every millisecond, and prints a dot for every tenth. Echoes input. */
export function tickGuest(): Uint8Array {
  const a = new Assembler();
  a.label('start').movd(0xf000, 15).movd(0xe000, 0).lprd(0, ISP).movd(TABLE, 0).lprd(0, INTBASE);
  for (const letter of 'CR16\n') a.movd(letter.charCodeAt(0), 0).stord(0, uart);
  a.movd((1 << CR16_IRQ.uart) | (1 << CR16_IRQ.timer), 0).stord(0, icu + ICU_REGISTERS.IENAM);
  a.movd(1, 0).stord(0, uart + 8);
  a.movd(1000, 0)
    .stord(0, timer + 4)
    .movd(3, 0)
    .stord(0, timer);
  a.movw(INTERRUPTS, 0).lpr(0, PSR).movw(0, 4);
  // Sleeps until something comes, and prints a dot when ten more ticks were counted.
  a.label('loop').words(WAIT).loadw(COUNTER, 1).words(SUBTRACT).cmpw(10, 1).branch(6, 'loop');
  a.addw(8, 4).addw(2, 4).movd('.'.charCodeAt(0), 0).stord(0, uart).branch(14, 'loop');
  // The handlers keep r0 and r1 on the interrupted program's stack.
  a.label('tick').words(PUSH_R0_R1).loadw(COUNTER, 0).addw(1, 0).storw(0, COUNTER);
  a.stord(0, timer + 12).words(POP_R0_R1, RETX);
  a.label('echo').words(PUSH_R0_R1).loadd(uart, 0).stord(0, uart).words(POP_R0_R1, RETX);
  a.label('bad').branch(14, 'bad');
  a.at(TABLE);
  for (let n = 0; n < 32; n++) a.half(n === 16 + CR16_IRQ.uart ? 'echo' : n === 16 + CR16_IRQ.timer ? 'tick' : 'bad');
  return a.bytes();
}
