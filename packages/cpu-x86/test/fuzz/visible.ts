import { type CellName, STATE } from '../../src/state/layout.ts';

/** State that programs can see. Flags are compared through `rflags`, whatever form they are kept in. */
export const VISIBLE = [
  'regs',
  'rip',
  'eflags',
  'segSel',
  'segBase',
  'segLimit',
  'segFlags',
  'cpl',
  'halted',
  'shadow',
  'irqLine',
  'nmiPending',
  'nmiBlocked',
  'ldtSel',
  'ldtBase',
  'ldtLimit',
  'ldtFlags',
  'trSel',
  'trBase',
  'trLimit',
  'trFlags',
  'gdtBase',
  'gdtLimit',
  'idtBase',
  'idtLimit',
  'cr0',
  'cr2',
  'cr3',
  'cr4',
  'dr',
  'efer',
  'star',
  'lstar',
  'cstar',
  'fmask',
  'kernelGsBase',
  'sysenterCs',
  'sysenterEsp',
  'sysenterEip',
  'tscAux',
  'pat',
  'xmm',
  'fpMant',
  'fpExp',
  'mxcsr',
  'fpuCw',
  'fpuSw',
  'fpuTop',
  'fpuTags',
  'fpExc',
  'fpuFop',
  'fpuFcs',
  'fpuFds',
  'fpuFip',
  'fpuFdp',
  'heldEvent',
  'lateFault',
] as const satisfies readonly CellName[];
const CLEARED = [
  ...VISIBLE,
  'ccA',
  'ccB',
  'ccRes',
  'ccKind',
  'trapArmed',
  'request',
  'initPending',
  'watchHit',
  'excVector',
  'excError',
  'excAddr',
  'xcr0',
  'mcgStatus',
  'miscEnable',
  'debugActive',
  'watching',
] as const satisfies readonly CellName[];
/** First and last + 1 addresses of the visible cells. */
export const RANGES: readonly (readonly [number, number])[] = VISIBLE.map((name) => [
  STATE[name].address,
  STATE[name].address + STATE[name].stride * STATE[name].count,
]);

/** Zeroes the cells that a program can see or that what it did before could shine through. */
export function clearCells(bytes: Uint8Array): void {
  for (const name of CLEARED) {
    const p = STATE[name];
    bytes.fill(0, p.address, p.address + p.stride * p.count);
  }
}
