import { describe, expect, it } from 'vitest';
import { TimerQueue } from '../../src/time/timers.ts';

describe('TimerQueue', () => {
  it('fires due timers in order of expiry, then of arming', () => {
    const queue = new TimerQueue();
    const fired: string[] = [];
    const [a, b, c] = ['a', 'b', 'c'].map((name) => queue.create(name, () => fired.push(name)));
    b!.arm(20);
    c!.arm(10);
    a!.arm(20);
    queue.run(15);
    expect(fired).toEqual(['c']);
    queue.run(20);
    expect(fired).toEqual(['c', 'b', 'a']);
    expect(queue.deadline).toBe(Number.POSITIVE_INFINITY);
  });

  it('a timer that re-arms itself in the past fires once per run', () => {
    const queue = new TimerQueue();
    let count = 0;
    const timer = queue.create('t', () => {
      count++;
      timer.arm(1);
    });
    timer.arm(1);
    queue.run(100);
    expect(count).toBe(1);
    queue.run(100);
    expect(count).toBe(2);
  });

  it('a callback can cancel a timer that is due in the same run', () => {
    const queue = new TimerQueue();
    const second = queue.create('second', () => expect.unreachable());
    const first = queue.create('first', () => second.cancel());
    first.arm(1);
    second.arm(1);
    queue.run(1);
    expect(second.expiryNs).toBe(-1);
  });

  it('says when the earliest deadline moved forward, and only then', () => {
    const queue = new TimerQueue();
    const earlier: number[] = [];
    queue.onEarlier = (ns) => earlier.push(ns);
    queue.create('a', () => {}).arm(50);
    queue.create('b', () => {}).arm(60);
    queue.create('c', () => {}).arm(40);
    expect(earlier).toEqual([50, 40]);
  });

  it('does not call back into an owner that is gone', () => {
    const queue = new TimerQueue();
    queue
      .create(
        'gone',
        () => expect.unreachable(),
        () => false,
      )
      .arm(1);
    queue.run(2);
    expect(queue.deadline).toBe(Number.POSITIVE_INFINITY);
  });
});
