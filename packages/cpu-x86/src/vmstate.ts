import type { CpuVmstate, FieldBuilder, VmField, VmStateTable } from '@sterna/core';
import { Flag, Seg } from './semantics/vectors.ts';
import type { CellName } from './state/layout.ts';
import type { StateView } from './state/view.ts';
import { CR4, Desc, EFER } from './system/bits.ts';
import { MCG_CAP } from './system/msr.ts';
import { Hflag, Hflag2, InterruptRequest } from './wire-bits.ts';

/** The processor as its vmstate sees it. */
export interface CpuStateAccess {
  readonly state: StateView;
  /** RFLAGS, complete. */
  rflags: number;
  /** Derives what depends on the mode, and drops translations. */
  stateChanged(): void;
  /** Makes the running loop look at events. */
  readonly index: number;
}

/** Fields of the stream that mean nothing to this processor but go on to the next host. */
interface Carried {
  vmVmcb: bigint;
  tscOffset: bigint;
  interruptInjected: number;
  mpState: number;
  tsc: bigint;
  exceptionNr: number;
  softInterrupt: number;
  nmiInjected: number;
  nmiPending: number;
  hasErrorCode: number;
  sipiVector: number;
  xstateBv: bigint;
  vTpr: number;
  pollControl: bigint;
}

const carriedDefaults = (): Carried => ({
  vmVmcb: 0n,
  tscOffset: 0n,
  interruptInjected: -1,
  mpState: 0,
  tsc: 0n,
  exceptionNr: -1,
  softInterrupt: 0,
  nmiInjected: 0,
  nmiPending: 0,
  hasErrorCode: 0,
  sipiVector: 0,
  xstateBv: 0n,
  vTpr: 0,
  pollControl: 0n,
});

/** The device behind the sections `cpu_common` and `cpu`. */
export class CpuVmState {
  readonly cpu: CpuStateAccess;
  /** Rate the user gave with tsc-frequency in kHz; 0 when not given, and then it is not in the stream. */
  readonly userTscKhz: bigint;
  readonly carried: Carried = carriedDefaults();
  /** As loaded; checked by the table. */
  hflags = 0;
  hflags2 = 0;
  fpregsFormat = 0;
  loadedTscKhz = 0n;
  /**
   * HARD and POLL of interrupt_request as loaded. The interrupt controllers say them anew when the CPU runs; until then they
   * go on to the next host as they came. Undefined once the CPU has run.
   */
  heldRequest: number | undefined;
  mcgCap: bigint = MCG_CAP;

  constructor(cpu: CpuStateAccess, userTscKhz = 0n) {
    this.cpu = cpu;
    this.userTscKhz = userTscKhz;
  }

  /** Forgets what a stream carried; for reset. */
  reset(): void {
    Object.assign(this.carried, carriedDefaults());
  }
}

type F = FieldBuilder<CpuVmState>;

const cells = (dev: CpuVmState): StateView => dev.cpu.state;

/** A 64-bit cell. */
function wide({ u64 }: F, name: string, cell: CellName, index = 0): VmField {
  return u64({
    name,
    get: (d) => cells(d).getBig(cell, index),
    set: (d, v) => cells(d).setBig(cell, v, index),
  });
}

/** An array of 64-bit cells. */
function wideArray({ array }: F, name: string, cell: CellName, count: number): VmField {
  return array(
    'u64',
    { name, get: (d, i) => cells(d).getBig(cell, i), set: (d, v, i) => cells(d).setBig(cell, v, i) },
    count,
  );
}

function narrow(kind: 'u16' | 'u32') {
  return (f: F, name: string, cell: CellName): VmField =>
    f[kind]({ name, get: (d) => cells(d).get(cell), set: (d, v) => cells(d).set(cell, v) });
}
const u16Cell = narrow('u16');
const u32Cell = narrow('u32');

/** A value that is carried, by its key. */
function carried<K extends keyof Carried>(key: K, name: string) {
  return {
    name,
    get: (d: CpuVmState): Carried[K] => d.carried[key],
    set: (d: CpuVmState, v: Carried[K]): void => {
      d.carried[key] = v;
    },
  };
}

/** One segment register or descriptor table; tables have neither selector nor flags. */
class SegmentRecord {
  readonly #state: StateView;
  readonly #cells: readonly [CellName | undefined, CellName, CellName, CellName | undefined];
  readonly #index: number;

  constructor(
    state: StateView,
    index: number,
    ...names: [CellName | undefined, CellName, CellName, CellName | undefined]
  ) {
    this.#state = state;
    this.#index = index;
    this.#cells = names;
  }
  get selector(): number {
    return this.#cells[0] === undefined ? 0 : this.#state.get(this.#cells[0], this.#index);
  }
  set selector(value: number) {
    if (this.#cells[0] !== undefined) this.#state.set(this.#cells[0], value, this.#index);
  }
  get base(): bigint {
    return this.#state.getBig(this.#cells[1], this.#index);
  }
  set base(value: bigint) {
    this.#state.setBig(this.#cells[1], value, this.#index);
  }
  get limit(): number {
    return this.#state.get(this.#cells[2], this.#index);
  }
  set limit(value: number) {
    this.#state.set(this.#cells[2], value, this.#index);
  }
  get flags(): number {
    return this.#cells[3] === undefined ? 0 : this.#state.get(this.#cells[3], this.#index);
  }
  set flags(value: number) {
    if (this.#cells[3] !== undefined) this.#state.set(this.#cells[3], value, this.#index);
  }
}

const SEGMENT: VmStateTable<SegmentRecord> = {
  name: 'segment',
  version: 1,
  fields: ({ u32, u64 }) => [u32('selector'), u64('base'), u32('limit'), u32('flags')],
};

/** One element of an array of cells. */
interface Element {
  readonly state: StateView;
  readonly index: number;
}
const element = (d: CpuVmState, index: number): Element => ({ state: cells(d), index });

const FPREG_TMP: VmStateTable<Element> = {
  name: 'fpreg_tmp',
  version: 0,
  fields: ({ u64, u16 }) => [
    u64({
      name: 'tmp_mant',
      get: ({ state, index }) => state.getBig('fpMant', index),
      set: ({ state, index }, v) => state.setBig('fpMant', v, index),
    }),
    u16({
      name: 'tmp_exp',
      get: ({ state, index }) => state.get('fpExp', index),
      set: ({ state, index }, v) => state.set('fpExp', v, index),
    }),
  ],
};
const FPREG: VmStateTable<Element> = { name: 'fpreg', version: 0, fields: ({ tmp }) => [tmp('tmp', FPREG_TMP)] };

function vectorTable(name: string, cell: 'xmm' | 'ymmHigh', first: number): VmStateTable<Element> {
  return {
    name,
    version: 1,
    fields: ({ u64 }) => [
      u64({
        name: `_q_ZMMReg[${first}]`,
        get: ({ state, index }) => state.getBig(cell, index),
        set: ({ state, index }, v) => state.setBig(cell, v, index),
      }),
      u64({
        name: `_q_ZMMReg[${first + 1}]`,
        get: ({ state, index }) => state.getHigh(cell, index),
        set: ({ state, index }, v) => state.setHigh(cell, v, index),
      }),
    ],
  };
}

const MTRR_VAR: VmStateTable<Element> = {
  name: 'mtrr_var',
  version: 1,
  fields: ({ u64 }) =>
    ['base', 'mask'].map((name, n) =>
      u64({
        name,
        get: ({ state, index }) => state.getBig('mtrrVar', index * 2 + n),
        set: ({ state, index }, v) => state.setBig('mtrrVar', v, index * 2 + n),
      }),
    ),
};

/**
 * QEMU's derived mode bits. A QEMU destination believes them (all but CPL), so they must agree with the registers. TF, IOPL,
 * RF, VM and AC stay 0: they are taken from RFLAGS.
 */
export function computeHflags(state: StateView, rflags: number): number {
  const cr0 = Number(state.getBig('cr0') & 0xffff_ffffn);
  const efer = Number(state.getBig('efer') & 0xffff_ffffn);
  const cs = state.get('segFlags', Seg.CS);
  const ss = state.get('segFlags', Seg.SS);
  const vm = (rflags & Flag.VM) !== 0;
  const protectedMode = (cr0 & 1) !== 0;
  const lma = (efer & EFER.LMA) !== 0;
  const cs64 = lma && (cs & Desc.L) !== 0;
  const cs32 = cs64 || (cs & Desc.B) !== 0;
  let hflags = vm ? 3 : protectedMode ? (ss >>> Desc.DPL_SHIFT) & 3 : 0;
  if (state.get('shadow') !== 0) hflags |= Hflag.INHIBIT_IRQ;
  if (cs32) hflags |= Hflag.CS32;
  if (cs64 || (ss & Desc.B) !== 0) hflags |= Hflag.SS32;
  if (!cs64) {
    const based = [Seg.DS, Seg.ES, Seg.SS].some((seg) => state.getBig('segBase', seg) !== 0n);
    if (!protectedMode || vm || !cs32 || based) hflags |= Hflag.ADDSEG;
  }
  if (protectedMode) hflags |= Hflag.PE;
  hflags |= (cr0 & 0xe) << Hflag.MP_SHIFT;
  if (lma) hflags |= Hflag.LMA;
  if (cs64) hflags |= Hflag.CS64;
  if ((state.getBig('cr4') & BigInt(CR4.OSFXSR)) !== 0n) hflags |= Hflag.OSFXSR;
  return hflags;
}

const TABLE: VmStateTable<CpuVmState> = {
  name: 'cpu',
  version: 12,
  preLoad(d) {
    d.reset();
    // what an absent subsection stands for
    d.carried.pollControl = 1n;
    d.loadedTscKhz = 0n;
    cells(d).setBig('miscEnable', 1n);
    cells(d).set('fpuFop', 0);
    cells(d).setBig('fpuFip', 0n);
    cells(d).setBig('fpuFdp', 0n);
  },
  postLoad: (d) => afterLoad(d),
  fields: (f) => [
    wideArray(f, 'env.regs', 'regs', 16),
    wide(f, 'env.eip', 'rip'),
    f.u64({
      name: 'env.eflags',
      get: (d) => BigInt(d.cpu.rflags >>> 0),
      set: (d, v) => {
        d.cpu.rflags = Number(v & 0xffff_ffffn);
      },
    }),
    f.u32({
      name: 'env.hflags',
      get: (d) => computeHflags(cells(d), d.cpu.rflags),
      set: (d, v) => {
        d.hflags = v;
      },
    }),
    u16Cell(f, 'env.fpuc', 'fpuCw'),
    f.u16({
      name: 'env.fpus_vmstate',
      get: (d) => (cells(d).get('fpuSw') & ~0x3800) | (cells(d).get('fpuTop') << 11),
      set: (d, v) => {
        cells(d).set('fpuSw', v & ~0x3800);
        cells(d).set('fpuTop', (v >>> 11) & 7);
      },
    }),
    u16Cell(f, 'env.fptag_vmstate', 'fpuTags'),
    f.u16({
      name: 'env.fpregs_format_vmstate',
      get: () => 0,
      set: (d, v) => {
        d.fpregsFormat = v;
      },
    }),
    f.structArrayOf('env.fpregs', element, FPREG, 8),
    f.structArrayOf(
      'env.segs',
      (d, i) => new SegmentRecord(cells(d), i, 'segSel', 'segBase', 'segLimit', 'segFlags'),
      SEGMENT,
      6,
    ),
    f.structOf('env.ldt', (d) => new SegmentRecord(cells(d), 0, 'ldtSel', 'ldtBase', 'ldtLimit', 'ldtFlags'), SEGMENT),
    f.structOf('env.tr', (d) => new SegmentRecord(cells(d), 0, 'trSel', 'trBase', 'trLimit', 'trFlags'), SEGMENT),
    f.structOf('env.gdt', (d) => new SegmentRecord(cells(d), 0, undefined, 'gdtBase', 'gdtLimit', undefined), SEGMENT),
    f.structOf('env.idt', (d) => new SegmentRecord(cells(d), 0, undefined, 'idtBase', 'idtLimit', undefined), SEGMENT),
    u32Cell(f, 'env.sysenter_cs', 'sysenterCs'),
    wide(f, 'env.sysenter_esp', 'sysenterEsp'),
    wide(f, 'env.sysenter_eip', 'sysenterEip'),
    wide(f, 'env.cr[0]', 'cr0'),
    wide(f, 'env.cr[2]', 'cr2'),
    wide(f, 'env.cr[3]', 'cr3'),
    wide(f, 'env.cr[4]', 'cr4'),
    wideArray(f, 'env.dr', 'dr', 8),
    f.i32({
      name: 'env.a20_mask',
      get: (d) => cells(d).getSigned('a20Mask'),
      set: (d, v) => cells(d).set('a20Mask', v),
    }),
    u32Cell(f, 'env.mxcsr', 'mxcsr'),
    f.structArrayOf('env.xmm_regs[0]', element, vectorTable('xmm_reg', 'xmm', 0), 16),
    wide(f, 'env.efer', 'efer'),
    wide(f, 'env.star', 'star'),
    wide(f, 'env.lstar', 'lstar'),
    wide(f, 'env.cstar', 'cstar'),
    wide(f, 'env.fmask', 'fmask'),
    wide(f, 'env.kernelgsbase', 'kernelGsBase'),
    u32Cell(f, 'env.smbase', 'smbase'),
    wide(f, 'env.pat', 'pat'),
    f.u32({
      name: 'env.hflags2',
      get: (d) => Hflag2.GIF | Hflag2.VGIF | (cells(d).get('nmiBlocked') !== 0 ? Hflag2.NMI : 0),
      set: (d, v) => {
        d.hflags2 = v;
      },
    }),
    wide(f, 'env.vm_hsave', 'vmHsave'),
    f.u64(carried('vmVmcb', 'env.vm_vmcb')),
    f.u64(carried('tscOffset', 'env.tsc_offset')),
    f.u64({ name: 'env.intercept', get: () => 0n, set: (_, v) => noSvm(v, 'intercept') }),
    ...['cr_read', 'cr_write', 'dr_read', 'dr_write'].map((name) =>
      f.u16({ name: `env.intercept_${name}`, get: () => 0, set: (_, v) => noSvm(BigInt(v), `intercept_${name}`) }),
    ),
    f.u32({
      name: 'env.intercept_exceptions',
      get: () => 0,
      set: (_, v) => noSvm(BigInt(v), 'intercept_exceptions'),
    }),
    f.u8(carried('vTpr', 'env.v_tpr')),
    wideArray(f, 'env.mtrr_fixed', 'mtrrFixed', 11),
    wide(f, 'env.mtrr_deftype', 'mtrrDefType'),
    f.structArrayOf('env.mtrr_var', element, MTRR_VAR, 8),
    f.i32(carried('interruptInjected', 'env.interrupt_injected')),
    f.u32(carried('mpState', 'env.mp_state')),
    f.u64(carried('tsc', 'env.tsc')),
    f.i32(carried('exceptionNr', 'env.exception_nr')),
    f.u8(carried('softInterrupt', 'env.soft_interrupt')),
    f.u8(carried('nmiInjected', 'env.nmi_injected')),
    f.u8(carried('nmiPending', 'env.nmi_pending')),
    f.u8(carried('hasErrorCode', 'env.has_error_code')),
    f.u32(carried('sipiVector', 'env.sipi_vector')),
    f.u64({
      name: 'env.mcg_cap',
      get: (d) => d.mcgCap,
      set: (d, v) => {
        d.mcgCap = v;
      },
    }),
    wide(f, 'env.mcg_status', 'mcgStatus'),
    wide(f, 'env.mcg_ctl', 'mcgCtl'),
    wideArray(f, 'env.mce_banks', 'mceBanks', 40),
    wide(f, 'env.tsc_aux', 'tscAux'),
    wide(f, 'env.system_time_msr', 'systemTimeMsr'),
    wide(f, 'env.wall_clock_msr', 'wallClockMsr'),
    wide(f, 'env.xcr0', 'xcr0'),
    f.u64(carried('xstateBv', 'env.xstate_bv')),
    f.structArrayOf('env.xmm_regs[1]', element, vectorTable('ymmh_reg', 'ymmHigh', 2), 16),
  ],
  subsections: [
    {
      name: 'cpu/poll_control_msr',
      version: 1,
      needed: (d) => d.carried.pollControl !== 1n,
      fields: ({ u64 }) => [u64(carried('pollControl', 'env.poll_control_msr'))],
    },
    {
      name: 'cpu/fpop_ip_dp',
      version: 1,
      needed: (d) =>
        cells(d).get('fpuFop') !== 0 || cells(d).getBig('fpuFip') !== 0n || cells(d).getBig('fpuFdp') !== 0n,
      fields: (f) => [u16Cell(f, 'env.fpop', 'fpuFop'), wide(f, 'env.fpip', 'fpuFip'), wide(f, 'env.fpdp', 'fpuFdp')],
    },
    {
      name: 'cpu/msr_ia32_misc_enable',
      version: 1,
      needed: (d) => cells(d).getBig('miscEnable') !== 1n,
      fields: (f) => [wide(f, 'env.msr_ia32_misc_enable', 'miscEnable')],
    },
    {
      name: 'cpu/tsc_khz',
      version: 1,
      needed: (d) => d.userTscKhz !== 0n,
      fields: ({ i64 }) => [
        i64({
          name: 'env.tsc_khz',
          get: (d) => d.userTscKhz,
          set: (d, v) => {
            d.loadedTscKhz = v;
          },
        }),
      ],
    },
  ],
};

function noSvm(value: bigint, what: string): void {
  if (value !== 0n) {
    throw new RangeError(
      `${what} is 0x${value.toString(16)}: the guest uses SVM, which this processor does not have; start the source with -cpu qemu64,-svm`,
    );
  }
}

function afterLoad(d: CpuVmState): void {
  const s = cells(d);
  if (d.fpregsFormat !== 0) throw new RangeError(`fpregs_format_vmstate is ${d.fpregsFormat}, only 0 is known`);
  if ((d.hflags & Hflag.GUEST) !== 0) noSvm(BigInt(d.hflags), 'hflags');
  noSvm(s.getBig('efer') & BigInt(EFER.SVME), 'EFER.SVME');
  if (d.userTscKhz !== 0n && d.loadedTscKhz !== 0n && d.userTscKhz !== d.loadedTscKhz) {
    throw new RangeError(
      `the guest's TSC runs at ${d.loadedTscKhz} kHz and tsc-frequency here is ${d.userTscKhz} kHz; give the same on both sides`,
    );
  }
  // CPL follows from SS.DPL, all other mode bits from the registers
  s.set('shadow', d.hflags & Hflag.INHIBIT_IRQ ? 1 : 0);
  s.set('nmiBlocked', d.hflags2 & Hflag2.NMI ? 1 : 0);
  s.set('heldEvent', 0);
  s.set('lateFault', 0);
  s.set('trapArmed', 0);
  d.cpu.stateChanged();
}

const COMMON: VmStateTable<CpuVmState> = {
  name: 'cpu_common',
  version: 1,
  fields: (f) => [
    u32Cell(f, 'halted', 'halted'),
    f.u32({
      name: 'interrupt_request',
      get: (d) =>
        (d.heldRequest ?? (cells(d).get('irqLine') !== 0 ? InterruptRequest.POLL : 0)) |
        (cells(d).get('nmiPending') !== 0 ? InterruptRequest.NMI : 0) |
        (cells(d).get('initPending') !== 0 ? InterruptRequest.INIT : 0),
      // HARD and POLL are what the interrupt controllers say, which they say again when they are loaded
      set: (d, v) => {
        d.heldRequest = v & (InterruptRequest.HARD | InterruptRequest.POLL);
        cells(d).set('nmiPending', v & InterruptRequest.NMI ? 1 : 0);
        cells(d).set('initPending', v & InterruptRequest.INIT ? 1 : 0);
      },
    }),
  ],
  subsections: [
    {
      // where QEMU's loop happened to stop; means nothing elsewhere
      name: 'cpu_common/exception_index',
      version: 1,
      needed: () => false,
      fields: ({ i32 }) => [i32({ name: 'exception_index', get: () => -1, set: () => {} })],
    },
    {
      name: 'cpu_common/crash_occurred',
      version: 1,
      needed: () => false,
      fields: ({ bool }) => [bool({ name: 'crash_occurred', get: () => false, set: () => {} })],
    },
  ],
};

/** Sections of one vCPU's state, in the order of the stream. */
export function cpuSections(state: CpuVmState): readonly CpuVmstate[] {
  return [
    { idstr: 'cpu_common', vmstate: COMMON, state },
    { idstr: 'cpu', vmstate: TABLE, state },
  ];
}
