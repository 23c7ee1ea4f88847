/** Why a region is left: index into the cell `regionExits`. */
export const RegionExit = {
  /** Refused at its entry: the budget is too small for it, or something it takes to be constant is not so now. */
  ENTRY: 0,
  /** The instruction budget does not last for another round of a loop. */
  BUDGET: 1,
  /** An access that is not to plain RAM, or an instruction's rare path. */
  COLD: 2,
  /** Code that the region does not have: not executed often enough, or the region is full. */
  PATH: 3,
  /** A return or indirect jump to a place that is not in the region. */
  ADDRESS: 4,
  /** An instruction executed by its interpreter function ended it. */
  CALL: 5,
  /** An instruction that only the interpreter executes. */
  STOP: 6,
} as const;

/** Names for people, by {@link RegionExit}. */
export const REGION_EXIT_NAMES: readonly string[] = ['entry', 'budget', 'cold', 'path', 'address', 'call', 'stop'];
