import type { CpuVmstate, FieldBuilder, VmField, VmStateTable } from '@sterna/core';
import type { CellName } from './state/layout.ts';
import type { StateView } from './state/view.ts';
import { EFER } from './system/bits.ts';
import { MCG_CAP } from './system/msr.ts';
import { checkGuestFeatures } from './vmstate-features.ts';
import { computeHflags } from './vmstate-hflags.ts';
import { type Element, FPREG, MTRR_VAR, SEGMENT, SegmentRecord, vectorTable } from './vmstate-records.ts';
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

const element = (d: CpuVmState, index: number): Element => ({ state: cells(d), index });

const TABLE: VmStateTable<CpuVmState> = {
  name: 'cpu',
  version: 12,
  preLoad(d) {
    d.reset();
    // what an absent subsection stands for
    d.carried.pollControl = 1n;
    d.loadedTscKhz = 0n;
    cells(d).setBig('miscEnable', 1n);
    cells(d).set('pkru', 0);
    cells(d).set('pkrs', 0);
    cells(d).setBig('tscAdjust', 0n);
    cells(d).setBig('tscDeadline', 0n);
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
    wide(f, 'env.tsc_offset', 'tscOffset'),
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
      name: 'cpu/msr_tsc_adjust',
      version: 1,
      needed: (d) => cells(d).getBig('tscAdjust') !== 0n,
      fields: (f) => [wide(f, 'env.tsc_adjust', 'tscAdjust')],
    },
    {
      name: 'cpu/msr_tscdeadline',
      version: 1,
      needed: (d) => cells(d).getBig('tscDeadline') !== 0n,
      fields: (f) => [wide(f, 'env.tsc_deadline', 'tscDeadline')],
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
    {
      name: 'cpu/pkru',
      version: 1,
      needed: (d) => cells(d).get('pkru') !== 0,
      fields: (f) => [u32Cell(f, 'env.pkru', 'pkru')],
    },
    {
      name: 'cpu/pkrs',
      version: 1,
      needed: (d) => cells(d).get('pkrs') !== 0,
      fields: (f) => [u32Cell(f, 'env.pkrs', 'pkrs')],
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
  checkGuestFeatures(s);
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
        (cells(d).get('initPending') !== 0 ? InterruptRequest.INIT : 0) |
        (cells(d).get('sipiPending') !== 0 ? InterruptRequest.SIPI : 0),
      // HARD and POLL are what the interrupt controllers say, which they say again when they are loaded
      set: (d, v) => {
        d.heldRequest = v & (InterruptRequest.HARD | InterruptRequest.POLL);
        cells(d).set('nmiPending', v & InterruptRequest.NMI ? 1 : 0);
        cells(d).set('initPending', v & InterruptRequest.INIT ? 1 : 0);
        cells(d).set('sipiPending', v & InterruptRequest.SIPI ? 1 : 0);
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
