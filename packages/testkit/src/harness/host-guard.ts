/** What of the host a device may not touch, with what it has instead. */
const FORBIDDEN = [
  ['Date.now()', Date, 'now', 'guest time is VirtualClock, dates are RtcClock'],
  ['performance.now()', performance, 'now', 'guest time is VirtualClock'],
  ['Math.random()', Math, 'random', 'randomness is Entropy'],
  ['crypto.getRandomValues()', crypto, 'getRandomValues', 'randomness is Entropy'],
  ['setTimeout()', globalThis, 'setTimeout', 'timers come from VirtualClock.timer'],
  ['setInterval()', globalThis, 'setInterval', 'timers come from VirtualClock.timer'],
  ['setImmediate()', globalThis, 'setImmediate', 'work for later is a timer of VirtualClock'],
] as const;

/** A device reached past its services for something of the host. */
export class HostAccessError extends Error {
  override readonly name = 'HostAccessError';
}

let depth = 0;
let found: HostAccessError | undefined;

/**
 * Runs device code with the host's clocks, randomness and timers out of reach. What they answer meanwhile is worthless,
 * and the first access is thrown at the end, even if the device has caught it.
 *
 * @throws HostAccessError with the place of the call
 */
export function guarded<T>(what: string, code: () => T): T {
  if (depth > 0) return code();
  const originals = FORBIDDEN.map(([, owner, key]) => (owner as unknown as Record<string, unknown>)[key]);
  found = undefined;
  depth++;
  for (const [name, owner, key, instead] of FORBIDDEN) {
    (owner as unknown as Record<string, unknown>)[key] = () => {
      found ??= new HostAccessError(
        `${name} was called in ${what}: ${instead}; it repeats nothing and does not migrate`,
      );
      throw found;
    };
  }
  let result: T;
  try {
    result = code();
  } catch (error) {
    throw found ?? error;
  } finally {
    depth--;
    for (const [i, [, owner, key]] of FORBIDDEN.entries())
      (owner as unknown as Record<string, unknown>)[key] = originals[i];
  }
  if (found !== undefined) throw found;
  return result;
}
