import { cells } from './cells.ts';

/** Entries of the list of non-global kernel translations; beyond it a flush sweeps the whole TLB. */
export const KERNEL_LIST = 1024;
/** Entries of the list of non-global user translations; beyond it filling the whole TLB is cheaper. */
export const USER_LIST = 384;
/** Bits of the filters of executed pages, indexed by the low bits of the linear page number. */
export const EXECUTED_BITS = { kernel: 1 << 14, user: 1 << 12 } as const;
/** Bits of the filter of regions with large pages, for each half of the address space. */
export const LARGE_BITS: number = 1 << 11;

/** State of the TLBs and of the jump cache. None of it is architectural: a flush of everything makes it anew. */
export const TLB_CELLS = cells({
  tlbArea: { type: 'u32', doc: 'Address of the TLBs of this vCPU, in the order of TLB_PLACE. Kept by a reset' },
  tlbReady: { type: 'u32', doc: '1 once the TLBs that may stay empty have been emptied' },
  tlbData: {
    type: 'u32',
    doc: 'TLB of data accesses by the program, were there no alignment checks and breakpoints. Derived by updateMode',
  },
  tlbAccessUsed: { type: 'u32', doc: '1: the TLB for EFLAGS.AC under SMAP may hold translations' },
  tlbKernelCount: { type: 'u32', doc: 'Used length of tlbKernelList; its size or more: the list is not complete' },
  tlbUserCount: { type: 'u32', doc: 'Used length of tlbUserList' },
  tlbKernelList: { type: 'u32', count: KERNEL_LIST, doc: 'Supervisor TLB entries filled with non-global pages' },
  tlbUserList: { type: 'u32', count: USER_LIST, doc: 'User TLB entries filled with non-global pages' },
  jcUserGeneration: { type: 'u32', doc: 'As jcGeneration, for code of CPL 3' },
  jcLocal: { type: 'u32', doc: '1: the jump cache may name supervisor code of pages that are not global' },
  jcKernelPages: {
    type: 'u64',
    count: EXECUTED_BITS.kernel / 64,
    doc: 'Hashed linear pages of which the jump cache may name supervisor code',
  },
  jcUserPages: { type: 'u64', count: EXECUTED_BITS.user / 64, doc: 'The same for code of CPL 3' },
  largePages: {
    type: 'u64',
    count: (2 * LARGE_BITS) / 64,
    doc: 'Hashed 4 MiB regions of which the TLBs may hold slices of large pages (see invlpg.ts)',
  },
  hugePages: { type: 'u64', doc: 'Hashed 1 GiB regions of which the TLBs may hold slices of 1 GiB pages' },
});
