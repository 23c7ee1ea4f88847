import { cells } from './cells.ts';

/**
 * State of the integer unit and of the interpreter. The first four rows must stay first: instruction records name registers
 * by their byte offset from the start of the block.
 */
export const CORE_CELLS = cells({
  regs: {
    type: 'u64',
    count: 16,
    doc: 'RAX RCX RDX RBX RSP RBP RSI RDI R8-R15; upper halves are zero outside 64-bit mode',
  },
  zero: { type: 'u64', doc: 'Always 0: base or index of an address that has none' },
  pcPage: {
    type: 'u64',
    doc: 'Linear address of the page of code being executed (RIP-relative addresses use it as base)',
  },
  rip: {
    type: 'u64',
    doc: 'Instruction pointer (offset in CS); valid whenever no handler is running, and in leave paths',
  },
  ccA: { type: 'u64', doc: 'Lazy flags: first operand, sign-extended' },
  ccB: { type: 'u64', doc: 'Lazy flags: second operand, sign-extended' },
  ccRes: { type: 'u64', doc: 'Lazy flags: result, sign-extended; ZF, SF and PF come from it while ccKind < CC.ALL' },
  ccKind: { type: 'u32', doc: 'Lazy flags: which formula gives CF, OF and AF; see CC in semantics/flags.ts' },
  eflags: {
    type: 'u32',
    doc: 'EFLAGS without the six arithmetic flags (which are in cc*): TF IF DF IOPL NT RF VM AC VIF VIP ID; bit 1 is set',
  },
  segSel: { type: 'u32', count: 6, doc: 'Selectors ES CS SS DS FS GS' },
  segBase: { type: 'u64', count: 6, doc: 'Bases as loaded' },
  segLimit: { type: 'u32', count: 6, doc: 'Limits in bytes (granularity applied)' },
  segFlags: {
    type: 'u32',
    count: 6,
    doc: 'Bits 8-23 of the second descriptor dword in place (type, S, DPL, P, AVL, L, D/B, G)',
  },
  segEff: {
    type: 'u64',
    count: 7,
    doc: 'Bases used for addresses: ES CS SS DS are 0 in 64-bit mode; [6] is always 0. Derived by updateMode',
  },
  cpl: { type: 'u32', doc: 'Current privilege level. Derived by updateMode from SS.DPL (real mode 0, VM86 3)' },
  modeKey: {
    type: 'u32',
    doc: 'Key of decoded code: code size, stack size, flat segments (see ModeKey). Derived by updateMode',
  },
  stackMask: { type: 'u64', doc: 'Mask of the stack pointer: 16, 32 or 64 bits. Derived by updateMode' },
  ipMask: { type: 'u64', doc: 'Mask of the instruction pointer: 16, 32 or 64 bits. Derived by updateMode' },
  tlbBase: {
    type: 'u32',
    doc: 'TLB that accesses of the program use: tlbData, or the empty one. Derived by updateMode',
  },
  jcKey: {
    type: 'u32',
    doc: 'Second tag of the jump cache: mode key, user bit and generation. Derived by updateMode and flushes',
  },
  jcGeneration: { type: 'u32', doc: 'Counts flushes of code of CPL 0-2; part of jcKey (of CPL 3: jcUserGeneration)' },
  icLeft: {
    type: 'i32',
    doc: 'Instructions until the next event check; the running loop keeps it in a local and stores it before any call out',
  },
  icRest: { type: 'i32', doc: 'Instructions of the budget beyond icLeft' },
  budget: { type: 'i32', doc: 'Budget of the running slice; executed = budget - icLeft - icRest' },
  yieldAfter: { type: 'i32', doc: 'PAUSE ends the slice when this many of its instructions are executed' },
  dirtied: { type: 'u32', doc: 'Pages whose flag PAGE_CLEAN_LIMIT this vCPU has cleared by writing to them' },
  excVector: { type: 'u32', doc: 'Vector of the exception being raised' },
  excError: { type: 'u32', doc: 'Its error code' },
  excAddr: { type: 'u64', doc: 'Linear address of a page fault (becomes CR2 at delivery)' },
  faultRecord: { type: 'u32', doc: 'Record of the faulting instruction with Leave.FAULT_AT' },
  exitReason: { type: 'u32', doc: 'Value run() returns when a handler leaves with Leave.EXIT' },
  trapArmed: { type: 'u32', doc: 'The instruction about to run is single-stepped' },
  request: { type: 'u32', doc: 'Not zero: somebody outside asks the loop to come back' },
  halted: { type: 'u32', doc: '1 after HLT until an event' },
  shadow: {
    type: 'u32',
    doc: 'Interrupts are inhibited for one instruction: 1 by STI, 2 by a load of SS (see Shadow)',
  },
  irqLine: { type: 'u32', doc: 'Level of the interrupt input' },
  nmiPending: { type: 'u32', doc: 'An NMI waits' },
  nmiBlocked: { type: 'u32', doc: 'In an NMI handler, until IRET' },
  initPending: { type: 'u32', doc: 'INIT waits' },
  sipiPending: { type: 'u32', doc: 'A start-up interrupt waits; its vector is in the local APIC' },
  a20Mask: { type: 'u32', doc: 'Low half of the address mask: all ones, or without bit 20' },
  walkPhys: { type: 'u64', doc: 'Result of the page walk: physical address of the 4 KiB page' },
  walkFlags: { type: 'u32', doc: 'Result of the page walk: WALK_* bits' },
  mmioLo: { type: 'u32', doc: 'Value of a device access, low half' },
  mmioHi: { type: 'u32', doc: 'Value of a device access, high half' },
  pendLinear: { type: 'u64', doc: 'Linear address of a read-modify-write in the scratch area' },
  pendSize: { type: 'u32', doc: 'Its size in bytes' },
  loadScratch: { type: 'v128', count: 2, doc: 'Value of a load that was assembled (page crossing or device)' },
  rmwScratch: { type: 'v128', count: 2, doc: 'Value of a read-modify-write that was assembled' },
  temp: { type: 'u64', count: 8, doc: 'Results of microcode beyond its status; valid until the next call' },
});
