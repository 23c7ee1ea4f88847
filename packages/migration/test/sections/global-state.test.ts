import { describe, expect, test } from 'vitest';
import { GlobalState, globalStateTable } from '../../src/sections/global-state.ts';
import { load, save } from '../support/codec.ts';

describe('globalstate', () => {
  test('has a flag for guests that sleep in the newer layout, and the run state itself in the older', () => {
    const state = new GlobalState();
    state.store('paused', true, true);
    expect([state.runState, state.wasSuspended, state.size]).toEqual(['paused', true, 7]);
    state.store('paused', true, false);
    expect([state.runState, state.wasSuspended]).toEqual(['suspended', true]);
    state.store('running', false, false);
    expect([state.runState, state.wasSuspended, state.area[32]]).toEqual(['running', false, 0]);
    state.store('suspended', false, true);
    expect([state.runState, state.wasSuspended, state.area[32], state.area[33]]).toEqual(['suspended', true, 1, 0]);
  });

  test('has 104 bytes in both layouts', async () => {
    for (const flags of [false, true]) {
      const state = new GlobalState();
      state.store('running', false, flags);
      const loaded = new GlobalState();
      const { bytes } = await save(globalStateTable(flags), state);
      expect(bytes.length).toBe(104);
      await load(globalStateTable(true), loaded, bytes);
      expect(loaded.runState).toBe('running');
    }
  });

  test('takes no state that does not exist, nor one that does not end', () => {
    const state = new GlobalState();
    state.area.set(Buffer.from('dancing'));
    expect(() => state.runState).toThrow("'dancing' is not a run state");
    state.area.fill(0x61);
    expect(() => state.runState).toThrow('is not a run state');
    state.store('running', false, true);
    state.size = 101;
    expect(() => globalStateTable(true).postLoad!(state, 1)).toThrow('length is 101');
  });
});
