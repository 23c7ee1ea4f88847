import type { Pair } from './pair.ts';

/** Migrates, whatever comes of it; answers how the two ends ended. */
export async function settle(
  pair: Pair,
  both = pair.start(),
): Promise<{ out: Error | undefined; in: Error | undefined }> {
  const reasonOf = (promise: Promise<unknown>) =>
    promise.then(
      () => undefined,
      (error: Error) => error,
    );
  const results = await pair.loop.run(Promise.all([reasonOf(both.out), reasonOf(both.in)]));
  return { out: results[0], in: results[1] };
}

/** Switches capabilities on, on both sides. */
export function onBoth(pair: Pair, ...names: string[]): void {
  for (const side of [pair.out, pair.in])
    side.setCapabilities(names.map((capability) => ({ capability, state: true })));
}
