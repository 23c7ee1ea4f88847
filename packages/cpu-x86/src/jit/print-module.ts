import type { RegionPlan } from './former.ts';
import { type CountOptions, printRegion } from './print-region.ts';
import { RegionModule } from './region-module.ts';

/** A plan with what its function refers to outside of it. */
export interface PlannedRegion {
  readonly plan: RegionPlan;
  /** Record that executes the entry's instruction without entering the region. */
  readonly shadow: number;
  /** Records of the places where its blocks may go on, as far as they are decoded. */
  readonly exits: ReadonlyMap<number, number>;
  /** Where it counts what is executed, see `COUNTS`; 0 when it does not. */
  readonly counters: number;
}

/** The binary module of some regions; `memory` has their records at their addresses. */
export function printRegions(
  regions: readonly PlannedRegion[],
  memory: ArrayBufferLike,
  count: CountOptions,
): Uint8Array<ArrayBuffer> {
  const module = new RegionModule(count.blocks);
  for (const { plan, shadow, exits, counters } of regions) {
    const peek = (place: number): number => exits.get(place) ?? 0;
    module.add(printRegion(module.builder, module, memory, plan, shadow, { peek }, count, counters));
  }
  return module.build();
}
