import type { StateView } from '../state/view.ts';

/** Words of a row in the state cells: leaf, subleaf, EAX, EBX, ECX, EDX, whether ECX gets the subleaf's number. */
export const CPUID_ROW = 7;
/** Subleaf of a row that answers any ECX. */
export const ANY_SUBLEAF = 0xffff_ffff;

/** One answer of CPUID. Subleaf and registers default to "any" and 0. */
export interface CpuidRow {
  readonly leaf: number;
  readonly sub?: number;
  readonly eax?: number;
  readonly ebx?: number;
  readonly ecx?: number;
  readonly edx?: number;
  /** ECX gets the number of the subleaf asked for. */
  readonly echo?: boolean;
}

/** Writes a model's CPUID answers to the state cells; rows with a subleaf must come before one for any. */
export function storeCpuid(state: StateView, rows: readonly CpuidRow[]): void {
  rows.forEach((row, i) => {
    const words = [row.leaf, row.sub ?? ANY_SUBLEAF, row.eax ?? 0, row.ebx ?? 0, row.ecx ?? 0, row.edx ?? 0];
    [...words, row.echo === true ? 1 : 0].forEach(
      (word, n) => void state.set('cpuidTable', word >>> 0, i * CPUID_ROW + n),
    );
  });
  state.set('cpuidCount', rows.length);
  const highest = (leaf: number): number => rows.find((row) => row.leaf === leaf)?.eax ?? leaf;
  state.set('cpuidMaxBasic', highest(0));
  state.set('cpuidMaxHypervisor', highest(0x4000_0000));
  state.set('cpuidMaxExtended', highest(0x8000_0000));
}
