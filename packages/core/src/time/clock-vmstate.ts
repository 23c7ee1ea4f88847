import type { VmStateTable } from '../vmstate/index.ts';
import type { MachineClock } from './machine-clock.ts';

/** The clocks as they travel: QEMU's `timer` section. */
export class ClockState {
  cpuTicksOffset = 0n;
  cpuClockOffset = 0n;
  readonly clock: MachineClock;

  constructor(clock: MachineClock) {
    this.clock = clock;
  }
}

/** Section `timer`: the stopped machine's TSC and virtual clock (QEMU system/cpu-timers.c, v10.0). */
export const clockVmstate: VmStateTable<ClockState> = {
  name: 'timer',
  version: 2,
  minimumVersion: 1,
  fields: ({ i64, unused }) => [i64('cpuTicksOffset'), unused(8), i64('cpuClockOffset', { since: 2 })],
  preSave(state) {
    state.cpuTicksOffset = BigInt.asIntN(64, state.clock.tsc());
    state.cpuClockOffset = BigInt(Math.trunc(state.clock.now()));
  },
  postLoad(state) {
    if (state.cpuClockOffset < 0n || state.cpuClockOffset > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw new RangeError(`virtual clock of ${state.cpuClockOffset} ns is outside 0 to 2^53`);
    }
    state.clock.restore(Number(state.cpuClockOffset), BigInt.asUintN(64, state.cpuTicksOffset));
  },
};
