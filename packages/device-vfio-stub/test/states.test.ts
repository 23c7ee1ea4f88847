import { describe, expect, it } from 'vitest';
import { hasState, isSaving, statePath, VFIO_ARCS, VFIO_STATES, type VfioState } from '../src/states.ts';

const ALL = { p2p: true, preCopy: true };
const NAMES = Object.keys(VFIO_STATES) as VfioState[];

/** Every request that a device with all features serves: from, the way, the wanted state last. */
const WAYS: readonly (readonly [VfioState, ...VfioState[]])[] = [
  ['STOP', 'RUNNING_P2P'],
  ['STOP', 'RUNNING_P2P', 'RUNNING'],
  ['STOP', 'RUNNING_P2P', 'RUNNING', 'PRE_COPY'],
  ['STOP', 'RUNNING_P2P', 'PRE_COPY_P2P'],
  ['STOP', 'STOP_COPY'],
  ['STOP', 'RESUMING'],
  ['RUNNING', 'RUNNING_P2P'],
  ['RUNNING', 'RUNNING_P2P', 'STOP'],
  ['RUNNING', 'RUNNING_P2P', 'STOP', 'STOP_COPY'],
  ['RUNNING', 'RUNNING_P2P', 'STOP', 'RESUMING'],
  ['RUNNING', 'PRE_COPY'],
  ['RUNNING', 'RUNNING_P2P', 'PRE_COPY_P2P'],
  ['RUNNING_P2P', 'RUNNING'],
  ['RUNNING_P2P', 'STOP'],
  ['RUNNING_P2P', 'STOP', 'STOP_COPY'],
  ['RUNNING_P2P', 'STOP', 'RESUMING'],
  ['RUNNING_P2P', 'RUNNING', 'PRE_COPY'],
  ['RUNNING_P2P', 'PRE_COPY_P2P'],
  ['PRE_COPY', 'RUNNING'],
  ['PRE_COPY', 'RUNNING', 'RUNNING_P2P'],
  ['PRE_COPY', 'RUNNING', 'RUNNING_P2P', 'STOP'],
  ['PRE_COPY', 'RUNNING', 'RUNNING_P2P', 'STOP', 'RESUMING'],
  ['PRE_COPY', 'PRE_COPY_P2P'],
  ['PRE_COPY', 'PRE_COPY_P2P', 'STOP_COPY'],
  ['PRE_COPY_P2P', 'PRE_COPY'],
  ['PRE_COPY_P2P', 'RUNNING_P2P'],
  ['PRE_COPY_P2P', 'RUNNING_P2P', 'RUNNING'],
  ['PRE_COPY_P2P', 'RUNNING_P2P', 'STOP'],
  ['PRE_COPY_P2P', 'RUNNING_P2P', 'STOP', 'RESUMING'],
  ['PRE_COPY_P2P', 'STOP_COPY'],
  ['STOP_COPY', 'STOP'],
  ['STOP_COPY', 'STOP', 'RUNNING_P2P'],
  ['STOP_COPY', 'STOP', 'RUNNING_P2P', 'RUNNING'],
  ['STOP_COPY', 'STOP', 'RESUMING'],
  ['RESUMING', 'STOP'],
  ['RESUMING', 'STOP', 'RUNNING_P2P'],
  ['RESUMING', 'STOP', 'RUNNING_P2P', 'RUNNING'],
  ['RESUMING', 'STOP', 'RUNNING_P2P', 'RUNNING', 'PRE_COPY'],
  ['RESUMING', 'STOP', 'RUNNING_P2P', 'PRE_COPY_P2P'],
  ['RESUMING', 'STOP', 'STOP_COPY'],
];

const served = new Map(WAYS.map(([from, ...path]) => [`${from} ${path.at(-1)}`, path]));
const pairs = NAMES.flatMap((from) => NAMES.map((to) => [from, to] as const));

describe('the way between two migration states', () => {
  it.each(pairs)('%s to %s is the one of the table, or refused', (from, to) => {
    const expected = from === to && from !== 'ERROR' ? [] : served.get(`${from} ${to}`);
    expect(statePath(from, to, ALL)).toEqual(expected);
  });

  it('never opens a session on the way between two states without one', () => {
    for (const [from, ...path] of WAYS)
      if (!isSaving(from) || !isSaving(path.at(-1)!)) expect(path.slice(0, -1).filter(isSaving)).toEqual([]);
  });

  it('steps over what the device does not have', () => {
    expect(statePath('RUNNING', 'STOP_COPY', { p2p: false, preCopy: false })).toEqual(['STOP', 'STOP_COPY']);
    expect(statePath('PRE_COPY', 'STOP_COPY', { p2p: false, preCopy: true })).toEqual(['STOP_COPY']);
    expect(statePath('RESUMING', 'RUNNING', { p2p: false, preCopy: true })).toEqual(['STOP', 'RUNNING']);
  });

  it.each([
    ['RUNNING_P2P', { p2p: false, preCopy: true }],
    ['PRE_COPY_P2P', { p2p: false, preCopy: true }],
    ['PRE_COPY', { p2p: true, preCopy: false }],
    ['PRE_COPY_P2P', { p2p: true, preCopy: false }],
  ] as const)('to %s is refused without its feature', (to, features) => {
    expect(hasState(to, features)).toBe(false);
    for (const from of NAMES) expect(statePath(from, to, features)).toBeUndefined();
  });

  it('consists of arcs that drivers implement', () => {
    for (const way of WAYS)
      for (const [i, state] of way.entries()) if (i > 0) expect(VFIO_ARCS[way[i - 1]!]).toContain(state);
  });
});
