import { type CodeCounter, defineDevice, Hooks, Instrumentation, Logger, prop } from '@sterna/core';

/** The instructions that were executed most, one line each. */
export function hotList(counter: CodeCounter, limit: number): string[] {
  return [...counter.read()]
    .sort((a, b) => b.executions - a.executions)
    .slice(0, limit)
    .map(({ address, name, executions }) => `${String(executions).padStart(12)} 0x${address.toString(16)} ${name}`);
}

/** {{DESCRIPTION}}. It counts from the start of the machine and says what it saw whenever the guest stops. */
export const myThing = defineDevice({
  name: 'my-thing',
  bus: 'sysbus',
  description: '{{DESCRIPTION}}',
  properties: {
    limit: prop.u32({ default: 20, help: 'Lines of the list' }),
  },
  inject: [Instrumentation, Hooks, Logger],
  create({ limit }, instrumentation, hooks, logger) {
    const dev = { instrumentation, counter: undefined as CodeCounter | undefined };
    hooks.runState.tap('my-thing', (state) => {
      if (dev.counter === undefined || (state !== 'paused' && state !== 'shutdown')) return;
      for (const line of hotList(dev.counter, limit)) logger.info(line);
    });
    return dev;
  },
  // While nobody counts, watching costs nothing: the count begins with the machine and ends with the device.
  realize(dev) {
    dev.counter = dev.instrumentation.count();
  },
  unrealize: (dev) => dev.counter?.[Symbol.dispose](),
  vmstate: 'stateless',
});
