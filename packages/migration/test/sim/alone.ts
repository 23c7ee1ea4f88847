/** The command that shows a seed alone. */
export function alone(seed: number): string {
  return `node -C @sterna/source packages/migration/test/sim/replay.ts --shrink ${seed}`;
}
