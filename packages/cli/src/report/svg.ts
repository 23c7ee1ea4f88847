/** Charts as SVG inside a page: no script, colours from the page's style sheet. */
import { ticks, timeText } from './format.ts';

/** Size of a chart's drawing, in units of its view box; the page scales it. */
const WIDTH = 860;
const MARGIN = { left: 74, right: 16, top: 10, bottom: 30 };

/** A line in a chart. */
export interface Series {
  readonly name: string;
  /** Class that gives its colour. */
  readonly style: string;
  readonly points: readonly (readonly [t: number, value: number])[];
}

/** What a line chart shows. */
export interface LineChart {
  readonly id: string;
  /** For those who do not see it. */
  readonly title: string;
  readonly description: string;
  readonly series: readonly Series[];
  /** Moments marked by a line across. */
  readonly marks: readonly { readonly t: number; readonly label: string }[];
  readonly end: number;
  readonly value: (value: number) => string;
  /** Whether values are sizes, whose round numbers are powers of two. */
  readonly sizes: boolean;
  /** The value axis goes to this at least. */
  readonly least?: number;
}

/** Text for the inside of an element or attribute. */
export function markup(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

/** A chart of values over time. */
export function lineChart(chart: LineChart): string {
  const height = 220;
  const most = Math.max(chart.least ?? 0, ...chart.series.flatMap(({ points }) => points.map(([, value]) => value)));
  const top = most === 0 ? 1 : most * 1.05;
  const x = (t: number) => MARGIN.left + (t / (chart.end || 1)) * (WIDTH - MARGIN.left - MARGIN.right);
  const y = (value: number) => height - MARGIN.bottom - (value / top) * (height - MARGIN.top - MARGIN.bottom);
  const parts = [
    ...ticks(most, 4, chart.sizes ? 2 : 10).map(
      (value) =>
        `<line class="grid" x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${n(y(value))}" y2="${n(y(value))}"/>` +
        `<text class="tick" x="${MARGIN.left - 8}" y="${n(y(value) + 4)}" text-anchor="end">${markup(chart.value(value))}</text>`,
    ),
    ...timeTicks(chart.end, x, height),
    ...chart.marks.map(
      ({ t, label }) =>
        `<line class="mark" x1="${n(x(t))}" x2="${n(x(t))}" y1="${MARGIN.top}" y2="${height - MARGIN.bottom}"><title>${markup(label)}</title></line>`,
    ),
    ...chart.series.map(({ name, style, points }) => {
      const path = points.map(([t, value]) => `${n(x(t))},${n(y(value))}`).join(' ');
      return `<polyline class="line ${style}" points="${path}"><title>${markup(name)}</title></polyline>`;
    }),
  ];
  return svg(chart.id, chart.title, chart.description, height, parts);
}

/** A bar in a timeline. */
export interface Bar {
  readonly label: string;
  readonly style: string;
  readonly begin: number;
  readonly ms: number;
  readonly detail: string;
}

/** Bars that begin when they begin, one in each row. */
export function timeline(id: string, title: string, description: string, bars: readonly Bar[]): string {
  const row = 22;
  const left = 230;
  const height = bars.length * row + MARGIN.bottom + MARGIN.top;
  const start = Math.min(...bars.map(({ begin }) => begin));
  const end = Math.max(...bars.map(({ begin, ms }) => begin + ms)) - start;
  const x = (t: number) => left + (t / (end || 1)) * (WIDTH - left - MARGIN.right - 70);
  const parts = [
    ...timeTicks(end, x, height),
    ...bars.map(({ label, style, begin, ms, detail }, i) => {
      const y = MARGIN.top + i * row;
      const [from, width] = [x(begin - start), Math.max(1.5, x(begin - start + ms) - x(begin - start))];
      return (
        `<text class="label" x="${left - 10}" y="${y + 15}" text-anchor="end">${markup(label)}</text>` +
        `<rect class="bar ${style}" x="${n(from)}" y="${y + 4}" width="${n(width)}" height="${row - 8}" rx="2"><title>${markup(`${label}: ${detail}`)}</title></rect>` +
        `<text class="tick" x="${n(from + width + 6)}" y="${y + 15}">${markup(timeText(ms))}</text>`
      );
    }),
  ];
  return svg(id, title, description, height, parts);
}

/** Parts of a whole, side by side. */
export function shareBar(
  id: string,
  title: string,
  description: string,
  parts: readonly { readonly name: string; readonly style: string; readonly value: number; readonly text: string }[],
): string {
  const total = parts.reduce((sum, { value }) => sum + value, 0) || 1;
  let at = 0;
  const rects = parts.map(({ name, style, value, text }) => {
    const [from, width] = [at, (value / total) * WIDTH];
    at += width;
    return `<rect class="bar ${style}" x="${n(from)}" y="0" width="${n(Math.max(width - 1, 0.5))}" height="26"><title>${markup(`${name}: ${text}`)}</title></rect>`;
  });
  return svg(id, title, description, 26, rects);
}

function timeTicks(end: number, x: (t: number) => number, height: number): string[] {
  return ticks(end, 8).map(
    (t) =>
      `<line class="grid" x1="${n(x(t))}" x2="${n(x(t))}" y1="${height - MARGIN.bottom}" y2="${height - MARGIN.bottom + 4}"/>` +
      `<text class="tick" x="${n(x(t))}" y="${height - 10}" text-anchor="middle">${markup(axisTime(t, end))}</text>`,
  );
}

/** Times of one axis all have the same unit. */
function axisTime(t: number, end: number): string {
  if (end < 2) return `${Math.round(t * 1000)} µs`;
  if (end < 10_000) return `${Number(t.toFixed(2))} ms`;
  return `${Number((t / 1000).toFixed(1))} s`;
}

function svg(id: string, title: string, description: string, height: number, parts: readonly string[]): string {
  return (
    `<svg viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="${id}-title ${id}-description">` +
    `<title id="${id}-title">${markup(title)}</title><desc id="${id}-description">${markup(description)}</desc>` +
    `${parts.join('')}</svg>`
  );
}

/** Coordinates need no more than a tenth. */
function n(value: number): string {
  return String(Math.round(value * 10) / 10);
}
