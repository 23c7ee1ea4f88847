/** Figures as text. */

const SIZES = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** Bytes with a unit and three digits. */
export function sizeText(bytes: number): string {
  let [value, unit] = [bytes, 0];
  while (value >= 1000 && unit < SIZES.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? Math.round(value) : value.toPrecision(3)} ${SIZES[unit]}`;
}

/** Milliseconds with a unit: µs below one, s from ten thousand on. */
export function timeText(ms: number): string {
  if (Math.abs(ms) < 1) return `${Math.round(ms * 1000)} µs`;
  if (Math.abs(ms) < 100) return `${ms.toFixed(2)} ms`;
  return Math.abs(ms) < 10_000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** A count with groups of three digits. */
export function countText(count: number): string {
  return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ' ');
}

/** Round steps between 0 and `most`, about `count` of them. @param base 10 for times, 2 for sizes */
export function ticks(most: number, count: number, base: 2 | 10 = 10): readonly number[] {
  if (!(most > 0) || !Number.isFinite(most)) return [0];
  const rough = most / count;
  const power = base ** Math.floor(Math.log(rough) / Math.log(base));
  const step =
    base === 2 ? power * (rough / power > 1 ? 2 : 1) : ([1, 2, 5, 10].find((m) => m * power >= rough) ?? 10) * power;
  return Array.from({ length: Math.floor(most / step + 1e-9) + 1 }, (_, i) => i * step);
}
