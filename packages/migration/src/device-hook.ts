import { SternaError } from '@sterna/core';
import { DeviceStateError } from './errors.ts';
import type { SectionName } from './host.ts';

/**
 * Calls a hook of a device; what it throws is named after its section. Errors that are ours already (of the stream,
 * the transport, a cancel) pass as they are.
 *
 * @param what the hook, for the message
 * @throws DeviceStateError
 */
export function deviceHook<T>(section: SectionName, what: string, hook: () => T): T {
  const named = (error: unknown) => (error instanceof SternaError ? error : new DeviceStateError(section, what, error));
  try {
    const result = hook();
    if (!(result instanceof Promise)) return result;
    return result.catch((error: unknown) => {
      throw named(error);
    }) as T;
  } catch (error) {
    throw named(error);
  }
}
