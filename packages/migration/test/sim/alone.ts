/** The command that shows a seed alone. */
export function alone(seed: number, options = ''): string {
  return `node -C @sterna/source packages/migration/test/sim/replay.ts ${options}--shrink ${seed}`;
}
