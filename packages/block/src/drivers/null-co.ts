import { type BlockDriver, defineBlockDriver, EventLoop, prop } from '@sterna/core';
import { abortable } from '../io/request-tracker.ts';

const NS_PER_MS = 1_000_000;

/** Takes everything and keeps nothing: for measuring what is above it. */
export const nullCo = defineBlockDriver({
  name: 'null-co',
  kind: 'protocol',
  description: 'Takes everything and keeps nothing',
  properties: {
    size: prop.size({ default: 2 ** 30, help: 'Length' }),
    'latency-ns': prop.u64({ default: 0, help: 'How long every request takes, in ns' }),
    'read-zeroes': prop.bool({ default: false, help: 'Reads as zeroes; otherwise reading leaves the buffer as it is' }),
  },
  inject: [EventLoop],
  open({ size, 'latency-ns': latencyNs, 'read-zeroes': readZeroes }, _node, loop): BlockDriver {
    let length = size;
    const latency = async (signal: AbortSignal | undefined): Promise<void> => {
      if (latencyNs === 0) return;
      const over = Promise.withResolvers<void>();
      const timer = loop.after(latencyNs / NS_PER_MS, over.resolve);
      try {
        await abortable(over.promise, signal);
      } finally {
        timer.cancel();
      }
    };
    return {
      get length() {
        return length;
      },
      async read(_offset, into, { signal }) {
        await latency(signal);
        if (readZeroes) into.fill(0);
      },
      write: (_offset, _bytes, { signal }) => latency(signal),
      writeZeroes: (_offset, _length, { signal }) => latency(signal),
      discard: (_offset, _length, { signal }) => latency(signal),
      flush: ({ signal }) => latency(signal),
      async truncate(next) {
        length = next;
      },
      info: () => ({ filename: 'null-co://', actualSize: 0 }),
    };
  },
});
