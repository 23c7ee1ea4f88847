import type { Val } from '@sterna/wasm';
import { apicBaseRead, apicBaseWrite } from '../interp/host.ts';
import { flushTlb } from '../interp/tlb.ts';
import type { Machine } from '../semantics/machine.ts';
import { faultingMicro, type Micro } from '../semantics/micro.ts';
import { Seg, Vec } from '../semantics/vectors.ts';
import { type CellName, STATE } from '../state/layout.ts';
import { CR0, CR4, EFER } from './bits.ts';
import { isCanonical } from './common.ts';
import { updateMode } from './mode.ts';
import { readLocalMsr, writeLocalMsr } from './msr-local.ts';

/** MCG_CAP of the model: ten banks, MCG_CTL present, SER. */
export const MCG_CAP = 0x100_010an;
/** Microcode revision that an AMD model shows. */
const MICROCODE = 0x0100_0065;
/** MTRRcap: eight variable ranges, fixed ranges, write-combining. */
const MTRR_CAP = 0x508;
/** IA32_PERF_STATUS. */
const PERF_STATUS = 1000n + (4n << 40n);

/** What an MSR number means. */
type MsrRow =
  /** A cell; `check` says which values raise #GP. */
  | { readonly kind: 'cell'; readonly cell: CellName; readonly index?: number; readonly check?: 'canonical' }
  /** Several numbers in a row that are elements of one cell. */
  | { readonly kind: 'cells'; readonly cell: CellName; readonly index: number; readonly count: number }
  /** A constant; writes are ignored. */
  | { readonly kind: 'constant'; readonly value: bigint };

/**
 * Model-specific registers that are plain state (SDM volume 4, AMD APM volume 2 appendix A). What is not here and not
 * special below reads as 0 and ignores writes, as QEMU does; a few whose absence guests rely on raise #GP.
 */
const MSRS: readonly (readonly [number, MsrRow])[] = [
  [0xc000_0100, { kind: 'cell', cell: 'segBase', index: Seg.FS, check: 'canonical' }],
  [0xc000_0101, { kind: 'cell', cell: 'segBase', index: Seg.GS, check: 'canonical' }],
  [0xc000_0102, { kind: 'cell', cell: 'kernelGsBase', check: 'canonical' }],
  [0xc000_0103, { kind: 'cell', cell: 'tscAux' }],
  [0xc000_0081, { kind: 'cell', cell: 'star' }],
  [0xc000_0082, { kind: 'cell', cell: 'lstar', check: 'canonical' }],
  [0xc000_0083, { kind: 'cell', cell: 'cstar', check: 'canonical' }],
  [0xc000_0084, { kind: 'cell', cell: 'fmask' }],
  [0x174, { kind: 'cell', cell: 'sysenterCs' }],
  [0x175, { kind: 'cell', cell: 'sysenterEsp' }],
  [0x176, { kind: 'cell', cell: 'sysenterEip' }],
  [0x277, { kind: 'cell', cell: 'pat' }],
  [0x1a0, { kind: 'cell', cell: 'miscEnable' }],
  [0x250, { kind: 'cell', cell: 'mtrrFixed' }],
  [0x258, { kind: 'cells', cell: 'mtrrFixed', index: 1, count: 2 }],
  [0x268, { kind: 'cells', cell: 'mtrrFixed', index: 3, count: 8 }],
  [0x200, { kind: 'cells', cell: 'mtrrVar', index: 0, count: 16 }],
  [0x2ff, { kind: 'cell', cell: 'mtrrDefType' }],
  [0x17a, { kind: 'cell', cell: 'mcgStatus' }],
  [0xc001_0117, { kind: 'cell', cell: 'vmHsave' }],
  [0xfe, { kind: 'constant', value: BigInt(MTRR_CAP) }],
  [0x179, { kind: 'constant', value: MCG_CAP }],
  [0x8b, { kind: 'constant', value: BigInt(MICROCODE) }],
  [0x198, { kind: 'constant', value: PERF_STATUS }],
];

const EFER_MSR = 0xc000_0080;
const APIC_BASE = 0x1b;
const MCG_CTL = 0x17b;
/** Protection keys of supervisor pages; unknown without the feature. */
const PKRS = 0x6e1;
const CORE_THREAD_COUNT = 0x35;
const MCE_BANKS = 0x400;
const MCE_BANK_CELLS = 40;
/** The architecture has room for 32 banks; those above the model's do not exist. */
const MCE_ALL_CELLS = 128;
/** SPEC_CTRL, PRED_CMD and FLUSH_CMD: guests probe for them, and no model has them. */
const ABSENT = [0x48, 0x49, 0x10b];

/** Runs `fn` when the MSR number is in a range, with the offset in it, then returns. */
function inRange(m: Machine, n: Val<'i32'>, first: number, count: number, fn: (offset: Val<'i32'>) => void): void {
  const offset = count === 1 ? m.i32(0) : m.let(m.sub(n, first));
  m.if(count === 1 ? m.eq(n, first) : m.ltU(offset, count), () => {
    fn(offset);
    m.return(m.i32(0));
  });
}

function readCell(m: Machine, cell: CellName, index: Val<'i32'> | number): Val<'i64'> {
  const value: Val = m.get(cell, index);
  return STATE[cell].type === 'u64' ? (value as Val<'i64'>) : m.extU(value as Val<'i32'>);
}

function writeCell(m: Machine, cell: CellName, index: Val<'i32'> | number, value: Val<'i64'>): void {
  m.put(cell, (STATE[cell].type === 'u64' ? value : m.wrap(value)) as never, index);
}

/** MCi_CTL, STATUS, ADDR, MISC: the status can only be cleared. */
const MCE_STATUS = 1;
/** Bits of MCi_CTL that Linux on AMD's family 15 and UnixWare clear, without expecting a fault: such a value is ignored. */
const MCE_CTL_WORKAROUNDS = 0x401;

/** #GP for registers that must not seem to be there. */
function refuseAbsent(m: Machine, n: Val<'i32'>): void {
  const absent = ABSENT.map((number) => m.eq(n, number)).reduce((a, b) => m.or(a, b));
  m.raiseIf(m.or(m.ltU(m.sub(n, MCE_BANKS), MCE_ALL_CELLS), absent), Vec.GP, 0);
}

/** RDMSR: reads the register with the number into temp[0]. */
export const readMsr: Micro = faultingMicro('read_msr', ['i32'], (m) => {
  const n = m.param('i32', 0);
  const give = (value: Val<'i64'>): void => m.put('temp', value, 0);
  for (const [number, row] of MSRS) {
    inRange(m, n, number | 0, row.kind === 'cells' ? row.count : 1, (offset) => {
      if (row.kind === 'constant') give(m.i64(row.value));
      else if (row.kind === 'cell') give(readCell(m, row.cell, row.index ?? 0));
      else give(readCell(m, row.cell, m.add(offset, row.index)));
    });
  }
  inRange(m, n, EFER_MSR | 0, 1, () => give(m.get('efer')));
  inRange(m, n, APIC_BASE, 1, () => give(m.extU(m.hostCall(apicBaseRead))));
  inRange(m, n, PKRS, 1, () => give(m.extU(m.get('pkrs'))));
  inRange(m, n, MCG_CTL, 1, () => give(m.get('mcgCtl')));
  inRange(m, n, CORE_THREAD_COUNT, 1, () => give(m.get('coreCount')));
  inRange(m, n, MCE_BANKS, MCE_BANK_CELLS, (offset) => give(m.get('mceBanks', offset)));
  readLocalMsr(m, n);
  refuseAbsent(m, n);
  m.put('temp', 0, 0);
});

/** WRMSR: (number, value). The caller has checked CPL. */
export const writeMsr: Micro = faultingMicro('write_msr', ['i32', 'i64'], (m) => {
  const n = m.param('i32', 0);
  const value = m.param('i64', 1);
  for (const [number, row] of MSRS) {
    if (row.kind === 'constant') continue;
    inRange(m, n, number | 0, row.kind === 'cells' ? row.count : 1, (offset) => {
      if (row.kind === 'cells') {
        writeCell(m, row.cell, m.add(offset, row.index), value);
        return;
      }
      if (row.check === 'canonical') m.raiseIf(m.eqz(isCanonical(m, value)), Vec.GP, 0);
      writeCell(m, row.cell, row.index ?? 0, value);
      // the effective bases of FS and GS are the same in every mode
      if (row.cell !== 'segBase') return;
      m.put('segEff', value, row.index ?? 0);
      m.if(m.eqz(m.inLongMode()), () => m.invoke(updateMode), undefined, false);
    });
  }
  inRange(m, n, EFER_MSR | 0, 1, () => {
    const old = m.let(m.get('efer'));
    const valid = m.let(m.get('eferValid'));
    const next = m.let(m.or(m.and(old, m.not(valid)), m.and(value, valid)));
    const changed = m.let(m.wrap(m.xor(old, next)));
    const paging = m.and(m.wrap(m.get('cr0')), CR0.PG | 0);
    m.raiseIf(m.and(m.ne(m.and(changed, EFER.LME), 0), m.ne(paging, 0)), Vec.GP, 0);
    m.put('efer', next);
    m.if(m.and(changed, EFER.NXE), () => m.invoke(flushTlb));
  });
  writeLocalMsr(m, n, value);
  inRange(m, n, APIC_BASE, 1, () =>
    m.raiseIf(m.hostCall(apicBaseWrite, m.wrap(value), m.wrap(m.shrU(value, 32))), Vec.GP, 0),
  );
  inRange(m, n, PKRS, 1, () =>
    m.if(m.and(m.wrap(m.get('cr4Valid')), CR4.PKS), () => {
      m.raiseIf(m.ne(m.shrU(value, 32), 0), Vec.GP, 0);
      m.put('pkrs', m.wrap(value));
      m.do(m.functionOf(flushTlb));
    }),
  );
  const allOrNothing = m.let(m.or(m.eqz(value), m.eq(value, -1)));
  inRange(m, n, MCG_CTL, 1, () => m.if(allOrNothing, () => m.put('mcgCtl', value)));
  inRange(m, n, MCE_BANKS, MCE_BANK_CELLS, (offset) => {
    const part = m.let(m.and(offset, 3));
    const tolerated = m.eq(m.or(value, m.i64(MCE_CTL_WORKAROUNDS)), -1);
    m.raiseIf(m.and(m.eqz(part), m.eqz(m.or(allOrNothing, tolerated))), Vec.GP, 0);
    m.raiseIf(m.and(m.eq(part, MCE_STATUS), m.ne(value, 0)), Vec.GP, 0);
    m.if(m.or(m.ne(part, 0), allOrNothing), () => m.put('mceBanks', value, offset));
  });
  refuseAbsent(m, n);
});
