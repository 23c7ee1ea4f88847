import { expect, test } from 'vitest';
import { defaultParameters } from '../../src/parameters.ts';
import { AutoConverge } from '../../src/source/auto-converge.ts';

const parameters = { ...defaultParameters(), 'max-cpu-throttle': 60 };

test('a guest is throttled at the second violation, further at each second one, up to the limit', () => {
  const converge = new AutoConverge();
  const steps: number[] = [];
  for (let i = 0; i < 14; i++) {
    converge.evaluate({ dirtied: 200, sent: 100 }, parameters);
    steps.push(converge.percentage);
  }
  expect(steps).toEqual([0, 20, 20, 30, 30, 40, 40, 50, 50, 60, 60, 60, 60, 60]);
});

test('half of what was sent is the threshold, and a period below it is no amnesty', () => {
  const converge = new AutoConverge();
  expect(converge.evaluate({ dirtied: 51, sent: 100 }, parameters)).toBe(false);
  expect(converge.evaluate({ dirtied: 50, sent: 100 }, parameters)).toBe(false);
  expect(converge.percentage).toBe(0);
  expect(converge.evaluate({ dirtied: 51, sent: 100 }, parameters)).toBe(true);
  expect(converge.percentage).toBe(20);
});

test('a slow tail goes only as far as it must', () => {
  const slow = { ...parameters, 'cpu-throttle-tailslow': true };
  const converge = new AutoConverge();
  const twice = (dirtied: number) => {
    for (let i = 0; i < 2; i++) converge.evaluate({ dirtied, sent: 200 }, slow);
    return converge.percentage;
  };
  expect(twice(1000)).toBe(20);
  // 80 % of the time dirties 105; 100 fit, so 76 % is enough.
  expect(twice(105)).toBe(24);
  expect(twice(1000)).toBe(34);
});
