import type { DebugFeature, DebugRegister, DebugView } from '@sterna/core';
import { Seg } from '../semantics/vectors.ts';
import type { CellName } from '../state/layout.ts';
import { EFER } from '../system/bits.ts';
import type { DebuggedCpu } from './debugged-cpu.ts';
import { fpuRegisters } from './fpu-registers.ts';
import { EFLAGS_TYPE, MXCSR_TYPE, systemTypes, VECTOR_TYPES } from './register-types.ts';
import { loadSegmentForDebug } from './segment-load.ts';

/*
 * Registers in gdb's standard features (gdb manual, "i386 Features"). There is no org.gnu.gdb.i386.linux: its one register
 * belongs to a process of Linux, and this is a bare processor. System registers have QEMU's names.
 */

/** gdb's orders of the general registers, as register numbers of instructions. */
const ORDER_64 = [0, 3, 1, 2, 6, 7, 5, 4, 8, 9, 10, 11, 12, 13, 14, 15] as const;
const ORDER_32 = [0, 1, 2, 3, 4, 5, 6, 7] as const;
const NAMES: readonly string[] = ['ax', 'cx', 'dx', 'bx', 'sp', 'bp', 'si', 'di'];
const SEGMENTS = [
  ['cs', Seg.CS],
  ['ss', Seg.SS],
  ['ds', Seg.DS],
  ['es', Seg.ES],
  ['fs', Seg.FS],
  ['gs', Seg.GS],
] as const;
/** EFLAGS bits that exist. */
const EFLAGS_BITS = 0x3f_7fd5n;
const MXCSR_BITS = 0xffffn;
const NAME_64 = 'i386:x86-64';
const NAME_32 = 'i386';
const CR0_PG = 0x8000_0000n;

/**
 * The view for a debugger that attaches now. 32-bit: the model has no long mode, or a 32-bit system is running (paging is on
 * and long mode is not active). While nothing is decided, as after a reset, it is the 64-bit one, which can show every mode.
 */
export function debugView(cpu: DebuggedCpu, architecture?: string): DebugView {
  if (architecture !== undefined) return architecture === NAME_32 ? view32(cpu) : view64(cpu);
  const { state } = cpu;
  const efer = state.getBig('efer');
  const valid = state.getBig('eferValid');
  const paging = (state.getBig('cr0') & CR0_PG) !== 0n;
  const is32 = (valid & BigInt(EFER.LME)) === 0n || (paging && (efer & BigInt(EFER.LMA)) === 0n);
  return is32 ? view32(cpu) : view64(cpu);
}

function view64(cpu: DebuggedCpu): DebugView {
  return {
    architecture: NAME_64,
    features: [
      core(cpu, 64),
      sse(cpu, 16),
      {
        name: 'org.gnu.gdb.i386.segments',
        registers: [segmentBase(cpu, 'fs_base', Seg.FS, 64), segmentBase(cpu, 'gs_base', Seg.GS, 64)],
      },
      system(cpu, 64, [cell(cpu, 'k_gs_base', 'kernelGsBase', 64, 'int')]),
    ],
  };
}

function view32(cpu: DebuggedCpu): DebugView {
  const bases = [segmentBase(cpu, 'fs_base', Seg.FS, 32), segmentBase(cpu, 'gs_base', Seg.GS, 32)];
  return { architecture: NAME_32, features: [core(cpu, 32), sse(cpu, 8), system(cpu, 32, bases)] };
}

function core(cpu: DebuggedCpu, bits: 32 | 64): DebugFeature {
  const { state } = cpu;
  const prefix = bits === 64 ? 'r' : 'e';
  const general = (bits === 64 ? ORDER_64 : ORDER_32).map((n): DebugRegister => {
    const name = NAMES[n];
    const type = name === 'sp' || name === 'bp' ? 'data_ptr' : `int${bits}`;
    return {
      name: name === undefined ? `r${n}` : prefix + name,
      bits,
      type,
      group: 'general',
      read: () => BigInt.asUintN(bits, state.getBig('regs', n)),
      write: (value) => state.setBig('regs', BigInt.asUintN(bits, value), n),
    };
  });
  return {
    name: 'org.gnu.gdb.i386.core',
    types: [EFLAGS_TYPE],
    registers: [
      ...general,
      {
        name: `${prefix}ip`,
        bits,
        type: 'code_ptr',
        group: 'general',
        read: () => BigInt.asUintN(bits, state.getBig('rip')),
        write: (value) => state.setBig('rip', value & state.getBig('ipMask')),
      },
      {
        name: 'eflags',
        bits: 32,
        type: EFLAGS_TYPE.id,
        group: 'general',
        read: () => BigInt(cpu.rflags),
        write: (value) => {
          cpu.rflags = Number(value & EFLAGS_BITS) | 2;
          cpu.stateChanged();
        },
      },
      ...SEGMENTS.map(
        ([name, n]): DebugRegister => ({
          name,
          bits: 32,
          type: 'int32',
          group: 'general',
          read: () => state.getBig('segSel', n),
          write: (value) => {
            if (value !== state.getBig('segSel', n)) loadSegmentForDebug(cpu, n, value);
          },
        }),
      ),
      ...fpuRegisters(state),
    ],
  };
}

function sse(cpu: DebuggedCpu, count: number): DebugFeature {
  const { state } = cpu;
  return {
    name: 'org.gnu.gdb.i386.sse',
    types: [...VECTOR_TYPES, MXCSR_TYPE],
    registers: [
      ...Array.from(
        { length: count },
        (_, n): DebugRegister => ({
          name: `xmm${n}`,
          bits: 128,
          type: 'vec128',
          group: 'vector',
          read: () => (state.getHigh('xmm', n) << 64n) | state.getBig('xmm', n),
          write: (value) => {
            state.setBig('xmm', value, n);
            state.setHigh('xmm', value >> 64n, n);
          },
        }),
      ),
      {
        name: 'mxcsr',
        bits: 32,
        type: MXCSR_TYPE.id,
        group: 'vector',
        read: () => state.getBig('mxcsr'),
        write: (value) => state.setBig('mxcsr', value & MXCSR_BITS),
      },
    ],
  };
}

function system(cpu: DebuggedCpu, bits: 32 | 64, first: readonly DebugRegister[]): DebugFeature {
  return {
    name: 'org.sterna.x86.system',
    types: systemTypes(bits),
    registers: [
      ...first,
      cell(cpu, 'cr0', 'cr0', bits, 'x86_cr0'),
      cell(cpu, 'cr2', 'cr2', bits, 'int'),
      cell(cpu, 'cr3', 'cr3', bits, 'int'),
      cell(cpu, 'cr4', 'cr4', bits, 'x86_cr4'),
      {
        name: 'cr8',
        bits,
        type: `int${bits}`,
        group: 'system',
        read: () => BigInt(cpu.cr8),
        write: (value) => {
          cpu.cr8 = Number(value & 15n);
        },
      },
      cell(cpu, 'efer', 'efer', bits, 'x86_efer'),
    ],
  };
}

/** A system register that is a cell; type `int` stands for an integer of its size. */
function cell(cpu: DebuggedCpu, name: string, of: CellName, bits: 32 | 64, type: string): DebugRegister {
  const { state } = cpu;
  return {
    name,
    bits,
    type: type === 'int' ? `int${bits}` : type,
    group: 'system',
    read: () => BigInt.asUintN(bits, state.getBig(of)),
    write: (value) => {
      state.setBig(of, BigInt.asUintN(bits, value));
      cpu.stateChanged();
    },
  };
}

function segmentBase(cpu: DebuggedCpu, name: string, segment: number, bits: 32 | 64): DebugRegister {
  const { state } = cpu;
  return {
    name,
    bits,
    type: `int${bits}`,
    group: 'system',
    read: () => BigInt.asUintN(bits, state.getBig('segBase', segment)),
    write: (value) => {
      state.setBig('segBase', BigInt.asUintN(bits, value), segment);
      cpu.stateChanged();
    },
  };
}
