import type { VmStateTable } from '@sterna/core';
import { describe, expect, test } from 'vitest';
import { Rehearsal } from '../../src/vmstate/rehearse.ts';
import { SimLoop } from '../support/sim-loop.ts';

function device(idstr: string, read: () => number, needed = true) {
  const table: VmStateTable<{ readonly value: number }> = {
    name: idstr,
    version: 1,
    needed: () => needed,
    fields: ({ u32 }) => [u32('value')],
  };
  const state = {
    get value() {
      return read();
    },
    set value(_) {
      throw new Error('a rehearsal changes nothing');
    },
  };
  return { idstr, instanceId: 0, vmstate: table, state };
}

/** Saves two devices, one that fails and one that is not needed. */
async function rehearsal(slowAtFirst: boolean, most = Number.POSITIVE_INFINITY) {
  const loop = new SimLoop();
  const { pace } = loop;
  const saved: string[] = [];
  const saves = (name: string) =>
    device(name, () => {
      saved.push(name);
      if (saved.length === most) rehearsal.stop();
      return 1;
    });
  const devices = [
    saves('one'),
    device('broken', () => {
      throw new Error('not now');
    }),
    device('absent', () => saved.push('absent'), false),
    saves('two'),
  ];
  const rehearsal = new Rehearsal({ slowAtFirst, sections: () => devices }, pace);
  for (let times = 0; times < 2; times++) rehearsal.start();
  const atOnce = rehearsal.over;
  await loop.run(pace.sleep(100, new AbortController().signal));
  return { saved, atOnce, over: rehearsal.over };
}

describe('a rehearsal', () => {
  test('saves each device some times, whatever others do', async () => {
    const { saved, ...rest } = await rehearsal(true);
    expect(saved).toEqual(['one', 'two', 'one', 'two', 'one', 'two']);
    expect(rest).toEqual({ atOnce: false, over: true });
  });

  test('ends when the real thing begins', async () => {
    expect(await rehearsal(true, 3)).toEqual({ saved: ['one', 'two', 'one'], atOnce: false, over: true });
  });

  test('is over at once where nothing is slow at first', async () => {
    expect(await rehearsal(false)).toEqual({ saved: [], atOnce: true, over: true });
  });
});
