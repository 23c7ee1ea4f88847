import type { Program, Unit } from './program.ts';

/** A unit left out: its label stays. */
function without(unit: Unit): Unit {
  return unit.label === undefined ? { bytes: [] } : { bytes: [], label: unit.label };
}

function size(program: Program): number {
  return program.units.reduce((n, u) => n + (u.bytes.length > 0 ? 1 : 0), 0);
}

/**
 * Makes a failing program smaller by leaving out units and happenings as long as it still fails (Zeller's delta debugging).
 *
 * @param fails - whether a program still shows the failure
 * @param mostTries - limit of calls of `fails`
 */
export function shrink(program: Program, fails: (candidate: Program) => boolean, mostTries = 3000): Program {
  let best = program;
  let tries = 0;
  const attempt = (candidate: Program): boolean => {
    if (tries++ >= mostTries || !fails(candidate)) return false;
    best = candidate;
    return true;
  };
  for (let improved = true; improved && tries < mostTries; ) {
    const before = size(best) + best.happenings.length;
    for (let n = 1; n <= best.happenings.length; n++) {
      const happenings = best.happenings.filter((_, i) => i !== best.happenings.length - n);
      if (attempt({ ...best, happenings })) n--;
    }
    for (let chunk = Math.max(1, Math.ceil(best.units.length / 2)); ; chunk = Math.ceil(chunk / 2)) {
      for (let from = 0; from < best.units.length; from += chunk) {
        const units = best.units.map((u, i) => (i >= from && i < from + chunk ? without(u) : u));
        if (units.every((u, i) => u.bytes.length === best.units[i]!.bytes.length)) continue;
        attempt({ ...best, units });
      }
      if (chunk === 1) break;
    }
    if (best.units.some((u) => u.bytes.length === 0 && u.label === undefined))
      attempt({ ...best, units: best.units.filter((u) => u.bytes.length > 0 || u.label !== undefined) });
    for (const offset of [0, 0x100]) if (best.offset !== offset) attempt({ ...best, offset });
    improved = size(best) + best.happenings.length < before;
  }
  return best;
}
