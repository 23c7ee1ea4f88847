import { describe, expect, it } from 'vitest';
import { generateProgram } from './generate.ts';
import { link, nextTable } from './program.ts';
import { shrink } from './shrink.ts';
import { world } from './world.ts';

describe('generated programs', () => {
  it('are a function of their seed', () => {
    for (let seed = 0; seed < 50; seed++) expect(generateProgram(seed)).toEqual(generateProgram(seed));
  });
  it('are linked with labels in order and a resume table that goes forward', () => {
    for (let seed = 0; seed < 50; seed++) {
      const program = generateProgram(seed);
      const w = world(program.world);
      const linked = link(program, w);
      const table = nextTable(linked, w.codeSize);
      expect([...linked.starts].sort((a, b) => a - b)).toEqual(linked.starts);
      for (const at of linked.starts) expect(table[at]!).toBeGreaterThan(at);
    }
  });
});

describe('shrinking', () => {
  it('leaves only the units that a failure needs, and their order', () => {
    const program = generateProgram(7);
    const needed = [program.units[3]!, program.units[8]!].filter((u) => u.bytes.length > 0);
    const small = shrink(program, (p) => needed.every((u) => p.units.includes(u)));
    expect(small.units.filter((u) => u.bytes.length > 0)).toEqual(needed);
    expect(small.happenings).toEqual([]);
  });
});
