import type { EventLoop } from '../machine/event-loop.ts';

/** Node's event loop. */
export const nodeEventLoop: EventLoop = {
  // After the poll phase: sockets and timers that are due are served before the callback.
  soon: (callback) => void setImmediate(callback),
  after: (ms, callback) => {
    const timer = setTimeout(callback, ms);
    return { cancel: () => clearTimeout(timer) };
  },
};
