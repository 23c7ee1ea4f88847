import type { Hooks } from '@sterna/core';

/**
 * Tells an interrupt controller that device state is being loaded. Devices then
 * drive their lines to the level their state asks for, so that the wires are
 * right when the guest runs; but what those levels once did to the controller is
 * already in the controller's own section, and must not happen again.
 */
export class LoadGate {
  /** True between the arrival of a stream and the run state after it. */
  loading = false;

  constructor(owner: string, hooks: Hooks) {
    hooks.runState.tap(owner, (state) => {
      this.loading = state === 'inmigrate' || state === 'restore-vm';
    });
  }
}
