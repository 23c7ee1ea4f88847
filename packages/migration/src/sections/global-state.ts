import { RUN_STATES, type RunState, type VmStateTable } from '@sterna/core';
import { latin1 } from '../stream/reader.ts';

/** The run state that travels: what the guest did before it was stopped for the switchover. */
export class GlobalState {
  /** Length of the name with its NUL. */
  size = 0;
  readonly area = new Uint8Array(100);

  /**
   * Stores a state for sending.
   *
   * @param asleep the guest was asleep when it was stopped
   * @param flags the newer division, which can say so beside the state
   */
  store(state: RunState, asleep: boolean, flags: boolean): void {
    // 7.2 has no stopped guest that sleeps: there it is simply suspended.
    const name = asleep && !flags ? 'suspended' : state;
    this.area.fill(0);
    for (let i = 0; i < name.length; i++) this.area[i] = name.charCodeAt(i);
    this.size = name.length + 1;
    if (!flags) return;
    // Behind the 32-byte name: "the next byte is meant", and that byte.
    this.area[32] = 1;
    this.area[33] = asleep ? 1 : 0;
  }

  /** The state that was loaded. @throws RangeError when it is none. */
  get runState(): RunState {
    const end = this.area.indexOf(0);
    const name = latin1(this.area.subarray(0, end < 0 ? this.area.length : Math.min(end, 32)));
    const state = RUN_STATES.find((known) => known === name);
    if (state === undefined || end < 0) throw new RangeError(`'${name}' is not a run state`);
    return state;
  }

  /** Whether the guest sleeps (ACPI S3), now or when it is started. */
  get wasSuspended(): boolean {
    return this.runState === 'suspended' || (this.area[32] === 1 && this.area[33] === 1);
  }
}

/**
 * `globalstate`, 104 bytes in every version: a length, and 100 bytes that 8.2.1 and later divide into a
 * name of 32, two flags and padding (QEMU migration/global_state.c, v10.0).
 *
 * @param flags the newer division; only the description differs
 */
export function globalStateTable(flags: boolean): VmStateTable<GlobalState> {
  const part = (name: string, from: number, to: number) => ({
    name,
    bytes: (state: GlobalState) => state.area.subarray(from, to),
  });
  const flag = (name: string, at: number) => ({
    name,
    get: (state: GlobalState) => state.area[at]!,
    set: (state: GlobalState, value: number) => {
      state.area[at] = value;
    },
  });
  return {
    name: 'globalstate',
    version: 1,
    fields: ({ u32, u8, buffer }) =>
      flags
        ? [
            u32('size'),
            buffer(part('runstate', 0, 32)),
            u8(flag('has_vm_was_suspended', 32)),
            u8(flag('vm_was_suspended', 33)),
            buffer(part('unused', 34, 100)),
          ]
        : [u32('size'), buffer(part('runstate', 0, 100))],
    postLoad(state) {
      if (state.size > 100) throw new RangeError(`the run state's length is ${state.size}, at most 100`);
      // Reading it checks it.
      state.runState;
    },
  };
}
