import { cells } from './cells.ts';

/** State of the x87, MMX and SSE units. */
export const FPU_CELLS = cells({
  xmm: { type: 'v128', count: 16, doc: 'XMM0-XMM15' },
  fpMant: { type: 'u64', count: 8, doc: 'Mantissas of the physical x87 registers R0-R7; MM0-MM7' },
  fpExp: { type: 'u32', count: 8, doc: 'Sign (bit 15) and exponent of the physical x87 registers' },
  mxcsr: { type: 'u32', doc: 'MXCSR' },
  fpuCw: { type: 'u32', doc: 'x87 control word' },
  fpuSw: { type: 'u32', doc: 'x87 status word without TOP' },
  fpuTop: { type: 'u32', doc: 'x87 TOP, 0-7' },
  fpuTags: { type: 'u32', doc: 'Bit i is 1 when physical register i is valid (as the abridged tag word)' },
  fpExc: {
    type: 'u32',
    doc: 'Exceptions raised by the current x87 or SSE instruction (FpFlag); 0 between instructions',
  },
  fpuFop: { type: 'u32', doc: 'x87 last opcode, 11 bits' },
  fpuFcs: { type: 'u32', doc: 'x87 last instruction selector' },
  fpuFds: { type: 'u32', doc: 'x87 last data selector' },
  fpuFip: { type: 'u64', doc: 'x87 last instruction offset' },
  fpuFdp: { type: 'u64', doc: 'x87 last data offset' },
});
