import { baseFeature } from './base-features.ts';
import type { Encoding } from './enc.ts';
import type { RowPlan } from './handlers.ts';

/** Entries per opcode with ModRM: for each of four prefixes, 8 for memory (by ModRM.reg) and 64 for mod = 3. */
export const MODRM_ENTRIES = 4 * 72;

/**
 * Dense lookup from opcode bytes to a row. For `(is64 * 4 + map) * 256 + opcode`: `base` is the first entry (-1: nothing
 * there), `modrm` whether a ModRM byte follows. Entries hold row number + 1, 0 for #UD; they are indexed by prefix (0 none,
 * 1 66, 2 F3, 3 F2), for ModRM opcodes times 72 plus ModRM.reg, or 8 + the low six bits when mod is 3.
 */
export interface OpcodeMap {
  readonly base: Int32Array;
  readonly modrm: Uint8Array;
  readonly entries: Uint16Array;
}

const PREFIXES = ['np', '66', 'f3', 'f2'];

function specificity(row: Encoding): number {
  return (
    (row.exact >= 0 ? 64 : 0) + (row.group >= 0 ? 8 : 0) + (row.mod === 'any' ? 0 : 4) + (row.prefix === '' ? 0 : 32)
  );
}

/**
 * Builds the map of a model: rows whose feature `has` denies are left out, so that their bytes are invalid or mean what they
 * meant before the feature existed (LZCNT is BSR then).
 *
 * @throws Error when two rows of the same specificity claim the same bytes
 */
export function buildOpcodeMap(
  rows: readonly RowPlan[],
  has: (feature: string) => boolean = (): boolean => true,
): OpcodeMap {
  const base = new Int32Array(2 * 4 * 256).fill(-1);
  const modrm = new Uint8Array(2 * 4 * 256);
  const entries: number[] = [];
  const ranks = rows.map((plan) => specificity(plan.row));
  const order = rows.map((plan, i) => ({ row: plan.row, i })).sort((a, b) => ranks[a.i]! - ranks[b.i]!);
  const opcodesWithModrm = new Set(rows.filter((p) => p.row.modrm).map((p) => (p.row.map << 8) | p.row.opcode));
  for (let is64 = 0; is64 < 2; is64++) {
    for (const { row, i } of order) {
      if (row.options.mode === (is64 ? 'no64' : 'only64')) continue;
      const feature = baseFeature(row);
      if (feature !== undefined && !has(feature)) continue;
      const slot = (is64 * 4 + row.map) * 256 + row.opcode;
      const hasModrm = opcodesWithModrm.has((row.map << 8) | row.opcode);
      if (base[slot]! < 0) {
        base[slot] = entries.length;
        modrm[slot] = hasModrm ? 1 : 0;
        for (let n = hasModrm ? MODRM_ENTRIES : 4; n > 0; n--) entries.push(0);
      }
      for (let p = 0; p < 4; p++) {
        if (row.prefix !== '' && row.prefix !== PREFIXES[p]) continue;
        const set = (at: number): void => {
          const old = entries[at]!;
          if (old !== 0 && ranks[old - 1] === ranks[i]) {
            throw new Error(
              `encodings of ${row.name} and ${rows[old - 1]!.row.name} collide at map ${row.map} opcode ${row.opcode.toString(16)}`,
            );
          }
          entries[at] = i + 1;
        };
        if (!hasModrm) {
          set(base[slot]! + p);
          continue;
        }
        const first = base[slot]! + p * 72;
        for (let reg = 0; reg < 8; reg++) {
          if (row.group >= 0 && row.group !== reg) continue;
          if (row.mod !== 'reg' && row.exact < 0) set(first + reg);
          if (row.mod === 'mem') continue;
          for (let rm = 0; rm < 8; rm++) {
            if (row.exact >= 0 && row.exact !== (0xc0 | (reg << 3) | rm)) continue;
            set(first + 8 + reg * 8 + rm);
          }
        }
      }
    }
  }
  return { base, modrm, entries: Uint16Array.from(entries) };
}
