import { type Service, service } from '../container/service.ts';

/** A deadline on a clock. One timer object is armed and cancelled many times. */
export interface Timer {
  /** Time at which it fires, or -1 when not armed. */
  readonly expiryNs: number;
  /** (Re)arms the timer; a time in the past fires at the next turn of the loop. */
  arm(expiryNs: number): void;
  cancel(): void;
}

/**
 * QEMU_CLOCK_VIRTUAL: nanoseconds of guest time. It stops with the machine and travels with it.
 * Numbers are exact up to 2^53 ns (104 days of guest time).
 */
export interface VirtualClock {
  /** Current guest time in ns; inside a register handler this is the time of the access. */
  now(): number;
  /** Makes a timer; `callback` runs between instructions, in order of expiry. The timer dies with the device. */
  timer(name: string, callback: () => void): Timer;
}
/** The machine's virtual clock. */
export const VirtualClock: Service<VirtualClock> = service('VirtualClock');

/** Deadline on the RTC clock, whose times need 64 bits. */
export interface RtcTimer {
  /** Time at which it fires, or -1n when not armed. */
  readonly expiryNs: bigint;
  arm(expiryNs: bigint): void;
  cancel(): void;
}

/** QEMU's rtc_clock: nanoseconds since 1970, of the host (default) or of the machine (`-rtc clock=vm`). */
export interface RtcClock {
  /** The clock's time; timers and timestamps of the device are in it. */
  now(): bigint;
  /** Date to show at power-on, ns since 1970: `-rtc base=`, or the host's date. */
  dateNs(): bigint;
  timer(name: string, callback: () => void): RtcTimer;
}
/** The clock behind a real-time clock device. */
export const RtcClock: Service<RtcClock> = service('RtcClock');

/** The host's clocks; injected so that tests can own time. */
export interface HostClock {
  /** Monotonic ns. */
  monotonicNs(): number;
  /** Wall clock, ns since 1970. */
  wallNs(): bigint;
}
/** Clocks of the host. Devices do not use it. */
export const HostClock: Service<HostClock> = service('HostClock');
