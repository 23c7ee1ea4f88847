import { hostTscFrequency, nodeEntropy, nodeEventLoop, nodeHostClock } from '@sterna/core/node';
import { expect, it } from 'vitest';

const none = { sysfs: () => undefined, kernelLog: () => [] as string[], cpuinfo: () => undefined };
const cpuinfo = (flags: string, name = 'X') =>
  `model name\t: ${name}\ncpu MHz\t\t: 2596.146\nflags\t\t: fpu ${flags} de\n`;

it('takes the most exact source there is', () => {
  const log = [
    '6,1,10,-;tsc: Fast TSC calibration using PIT',
    '6,2,64,-;tsc: Detected 2596.146 MHz processor',
    '6,3,400000,-;tsc: Refined TSC clocksource calibration: 2596.099 MHz',
  ];
  expect(hostTscFrequency({ ...none, sysfs: () => '2596000\n' })).toEqual({ hz: 2_596_000_000, source: 'sysfs' });
  expect(hostTscFrequency({ ...none, kernelLog: () => log })).toEqual({ hz: 2_596_099_000, source: 'kernel-log' });
  expect(hostTscFrequency({ ...none, kernelLog: () => log.slice(0, 2) })).toEqual({
    hz: 2_596_146_000,
    source: 'kernel-log',
  });
  expect(hostTscFrequency({ ...none, cpuinfo: () => cpuinfo('constant_tsc hypervisor') }).source).toBe('cpuinfo');
  expect(
    hostTscFrequency({ ...none, cpuinfo: () => cpuinfo('constant_tsc', 'Intel(R) Xeon(R) CPU @ 2.60GHz') }),
  ).toEqual({
    hz: 2_600_000_000,
    source: 'model-name',
  });
  expect(hostTscFrequency({ ...none, cpuinfo: () => cpuinfo('') })).toEqual({ hz: 1_000_000_000, source: 'default' });
});

it('does not read the kernel log beyond the boot', () => {
  function* endless() {
    for (let at = 0; ; at += 1_000_000) yield `6,1,${at},-;noise`;
  }
  expect(hostTscFrequency({ ...none, kernelLog: endless }).source).toBe('default');
});

it('finds a plausible rate on this host', () => {
  const { hz } = hostTscFrequency();
  expect(hz).toBeGreaterThan(1e8);
  expect(hz).toBeLessThan(1e10);
});

it('has clocks that move, an event loop that calls back and entropy that differs', async () => {
  const start = nodeHostClock.monotonicNs();
  await new Promise<void>((resolve) => nodeEventLoop.soon(resolve));
  await new Promise<void>((resolve) => nodeEventLoop.after(2, resolve));
  expect(nodeHostClock.monotonicNs() - start).toBeGreaterThan(1e6);
  expect(nodeHostClock.wallNs()).toBeGreaterThan(1_700_000_000_000_000_000n);
  const [a, b] = [new Uint8Array(32), new Uint8Array(32)];
  nodeEntropy.fill(a);
  nodeEntropy.fill(b);
  expect(a).not.toEqual(b);
});
