import { beforeAll, describe, expect, it } from 'vitest';
import { encodeRegions } from '../../src/jit/plan-message.ts';
import type { PlannedRegion } from '../../src/jit/print-module.ts';
import { printRegions } from '../../src/jit/print-module.ts';
import { prepareInterpreter } from '../../src/node/index.ts';
import { ManualTranslator, rigWith, runAll } from './translated.ts';

const translator = new ManualTranslator();
const COUNT = { exits: false, entries: false, blocks: false };
let rig: ReturnType<typeof rigWith>;

beforeAll(() => {
  prepareInterpreter();
  rig = rigWith({ threshold: 20 }, translator);
  runAll(rig);
});

describe('plans as numbers', () => {
  it('come back as they were, with their records', () => {
    expect(translator.jobs.length).toBeGreaterThan(0);
    for (const { job } of translator.jobs) {
      const regions = translator.read(job);
      expect(regions.length).toBeGreaterThan(0);
      const again = encodeRegions(regions, new DataView(translator.records));
      expect(again).toEqual(job.regions);
    }
  });

  it('give the same code as in the machine itself', () => {
    for (const { job } of translator.jobs) {
      const regions = translator.read(job);
      const there = printRegions(regions, translator.records, COUNT);
      // the handler of an entry is its region's once that is installed; no region is here
      expect(printRegions(regions, rig.memory.buffer, COUNT)).toEqual(there);
    }
  });

  it('hold places and host addresses of any size', () => {
    const [{ job }] = translator.jobs as [(typeof translator.jobs)[0]];
    const [first] = translator.read(job);
    const far: PlannedRegion = {
      ...first!,
      exits: new Map([
        [-4097, 16],
        [0x7fff_ffff + 3 * 4096, 32],
        [-0x8000_0000 - 4096, 48],
      ]),
      plan: {
        ...first!.plan,
        pages: new Map([
          [-1, 0xffff_f000],
          [0, 0x8000_0000],
        ]),
        blocks: [
          { ...first!.plan.blocks[0]!, end: { kind: 'jump', taken: 0x7fff_ffff + 4095 } },
          { place: 9, steps: [], end: { kind: 'branch', taken: -0x8000_0001, next: 5, likely: undefined } },
          { place: 10, steps: [], end: { kind: 'branch', taken: 0, next: 5, likely: false } },
          { place: 11, steps: [], end: { kind: 'address', places: [1, -7] } },
          { place: 12, steps: [], end: { kind: 'stop', record: 0x40_0010, page: -1 } },
          { place: 13, steps: [], end: { kind: 'fall', next: 4097 } },
          { place: 14, steps: [], end: { kind: 'left' } },
        ],
      },
    };
    const view = new DataView(translator.records);
    const [back] = translator.read({ regions: encodeRegions([far], view), count: COUNT });
    expect(back!.exits).toEqual(far.exits);
    expect(back!.plan.pages).toEqual(far.plan.pages);
    expect(back!.plan.blocks.map(({ place, end }) => ({ place, end }))).toEqual(
      far.plan.blocks.map(({ place, end }) => ({ place, end })),
    );
    expect(back!.plan.blocks[0]!.steps).toEqual(far.plan.blocks[0]!.steps);
  });
});
