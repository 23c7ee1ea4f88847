/** Middle value; the mean of the two middle ones for an even count. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Geometric mean; `undefined` of nothing. */
export function geometricMean(values: readonly number[]): number | undefined {
  if (values.length === 0) return undefined;
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

/** One figure against a peer, measured in interleaved pairs of one run. */
export interface Comparison {
  readonly figure: string;
  readonly unit: string;
  readonly ours: number;
  readonly peer: number;
  readonly peerName: string;
  /** Median of the pairwise ratios ours / peer. */
  readonly ratio: number;
  readonly pairs: number;
  /** True when a smaller ratio is better. */
  readonly lowerIsBetter: boolean;
}

/** Compares two series measured in pairs. */
export function compare(
  figure: string,
  unit: string,
  peerName: string,
  ours: readonly number[],
  peer: readonly number[],
  lowerIsBetter = true,
): Comparison {
  return {
    figure,
    unit,
    ours: median(ours),
    peer: median(peer),
    peerName,
    ratio: median(ours.map((value, i) => value / peer[i]!)),
    pairs: ours.length,
    lowerIsBetter,
  };
}

/** Prints comparisons as a table for people. */
export function table(rows: readonly Comparison[]): string {
  const header = ['figure', 'Sterna', 'peer', 'ratio', 'pairs', 'peer is'];
  const cells = rows.map((r) => [
    r.figure,
    `${r.ours.toFixed(2)} ${r.unit}`,
    `${r.peer.toFixed(2)} ${r.unit}`,
    `${r.ratio.toFixed(2)}${r.lowerIsBetter ? '' : ' (more is better)'}`,
    String(r.pairs),
    r.peerName,
  ]);
  return columns([header, ...cells]);
}

/** Lines of cells, padded so that columns align. */
export function columns(lines: readonly (readonly string[])[]): string {
  const widths = (lines[0] ?? []).map((_, i) => Math.max(...lines.map((line) => line[i]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
