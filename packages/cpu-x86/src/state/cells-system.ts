import { cells } from './cells.ts';

/** State of the system architecture: descriptor tables, control and debug registers, model-specific registers. */
export const SYSTEM_CELLS = cells({
  ldtSel: { type: 'u32', doc: 'LDTR selector' },
  ldtBase: { type: 'u64', doc: 'LDTR base' },
  ldtLimit: { type: 'u32', doc: 'LDTR limit' },
  ldtFlags: { type: 'u32', doc: 'LDTR flags, as segFlags' },
  trSel: { type: 'u32', doc: 'TR selector' },
  trBase: { type: 'u64', doc: 'TR base' },
  trLimit: { type: 'u32', doc: 'TR limit' },
  trFlags: { type: 'u32', doc: 'TR flags, as segFlags' },
  gdtBase: { type: 'u64', doc: 'GDTR base' },
  gdtLimit: { type: 'u32', doc: 'GDTR limit' },
  idtBase: { type: 'u64', doc: 'IDTR base' },
  idtLimit: { type: 'u32', doc: 'IDTR limit' },
  cr0: { type: 'u64', doc: 'CR0' },
  cr2: { type: 'u64', doc: 'CR2' },
  cr3: { type: 'u64', doc: 'CR3' },
  cr4: { type: 'u64', doc: 'CR4' },
  dr: { type: 'u64', count: 8, doc: 'DR0-DR3, two unused, DR6, DR7' },
  efer: { type: 'u64', doc: 'EFER' },
  star: { type: 'u64', doc: 'STAR' },
  lstar: { type: 'u64', doc: 'LSTAR' },
  cstar: { type: 'u64', doc: 'CSTAR' },
  fmask: { type: 'u64', doc: 'SFMASK' },
  kernelGsBase: { type: 'u64', doc: 'KERNEL_GS_BASE' },
});
