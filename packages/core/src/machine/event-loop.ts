import { type Service, service } from '../container/service.ts';

/** The host's event loop, as the run loop needs it. Injected, so that tests can drive time. */
export interface EventLoop {
  /** Calls back after pending host events were served. */
  soon(callback: () => void): void;
  /** Calls back after `ms` milliseconds unless cancelled. */
  after(ms: number, callback: () => void): { cancel(): void };
}
/** The host's event loop. */
export const EventLoop: Service<EventLoop> = service('EventLoop');
