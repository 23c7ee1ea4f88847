/** A report for the terminal. */
import type { MigrationSummary, PauseStep } from '@sterna/migration';
import { countText, sizeText, timeText } from './format.ts';

const LEVELS = '▁▂▃▄▅▆▇█';
/** Columns of a chart. */
const WIDTH = 60;

/** The report, lines ended by newline. */
export function reportText(summary: MigrationSummary): string {
  const parts = [
    head(summary),
    ...[passes(summary), curves(summary), pause(summary), live(summary)].filter((part) => part.length > 0),
  ];
  return `${parts.map((part) => part.join('\n')).join('\n\n')}\n`;
}

/** The first sentence of every report. */
export function headline({ machine, status, totalMs, pauseMs, pauseOfBoth, error }: MigrationSummary): string {
  const who = machine === undefined ? 'migration' : `migration of ${machine}`;
  if (status !== 'completed')
    return `${who}: ${status} after ${timeText(totalMs)}${error === undefined ? '' : `: ${error}`}`;
  if (pauseMs === undefined) return `${who}: completed in ${timeText(totalMs)}`;
  const to = pauseOfBoth ? 'until it ran on at the destination' : 'until the source was done';
  return `${who}: completed in ${timeText(totalMs)}, the guest stood still for ${timeText(pauseMs)} ${to}`;
}

/** How the clocks of both sides were brought together, in words; undefined with one side. */
export function alignmentText({ sides, alignment }: MigrationSummary): string | undefined {
  if (sides.length < 2) return undefined;
  if (alignment === undefined)
    return 'the traces have nothing in common: they are not of the same migration, or one is cut';
  if (alignment.uncertainty === undefined)
    return 'no ping was answered (return-path was off): times of the destination are the earliest possible';
  return `times of the destination are exact to ${timeText(alignment.uncertainty)} (${alignment.pings} ${alignment.pings === 1 ? 'ping' : 'pings'})`;
}

/** Bytes per second that the guest dirtied about then. */
export function dirtyRateAt({ dirtied }: MigrationSummary, t: number): number {
  return dirtied.find(({ from, to }) => t >= from && t < to)?.rate ?? 0;
}

/** What was sent, by kind, without what there was none of. */
export function kinds({
  bytes,
}: MigrationSummary): readonly { readonly name: string; readonly bytes: number; readonly pages?: number }[] {
  const known = bytes.normal + bytes.zero + bytes.xbzrle;
  return [
    { name: 'whole pages', bytes: bytes.normal, pages: bytes.normalPages },
    { name: 'zero pages', bytes: bytes.zero, pages: bytes.zeroPages },
    { name: 'encoded pages', bytes: bytes.xbzrle, pages: bytes.xbzrlePages },
    { name: 'devices and framing', bytes: Math.max(0, bytes.total - known) },
  ].filter((kind) => kind.bytes > 0);
}

function head(summary: MigrationSummary): string[] {
  const { channel, date, capabilities, bytes, sides, complete, setupMs, connectMs } = summary;
  const lines = [headline(summary)];
  lines.push(`  ${channel}, ${date}${capabilities.length === 0 ? '' : `, with ${capabilities.join(', ')}`}`);
  if (bytes.total > 0)
    lines.push(
      `  sent ${sizeText(bytes.total)}: ${kinds(summary)
        .map(
          ({ name, bytes: size, pages }) =>
            `${name} ${sizeText(size)}${pages === undefined ? '' : ` (${countText(pages)})`}`,
        )
        .join(', ')}`,
    );
  if (bytes.multifd > 0) lines.push(`  ${sizeText(bytes.multifd)} of it over multifd channels`);
  lines.push(`  connecting took ${timeText(connectMs)}${setupMs === undefined ? '' : `, setup ${timeText(setupMs)}`}`);
  if (!complete) lines.push('  the trace ends before the migration did');
  const aligned = alignmentText(summary);
  if (aligned !== undefined) lines.push(`  ${aligned}`);
  else lines.push(`  seen from the ${sides[0]}`);
  return lines;
}

function passes({ passes: list }: MigrationSummary): string[] {
  if (list.length === 0) return [];
  const rows = list.map(({ pass, begin, ms, dirtied, remaining, sent }) => [
    String(pass),
    timeText(begin),
    timeText(ms),
    countText(dirtied),
    sizeText(remaining),
    sizeText(sent),
    ms > 0 ? `${sizeText((sent / ms) * 1000)}/s` : '',
  ]);
  return table(['pass', 'begins', 'lasts', 'pages dirtied', 'to send', 'sent', 'rate'], rows);
}

function curves(summary: MigrationSummary): string[] {
  const { windows, throttle } = summary;
  if (windows.length < 2) return [];
  const lines = [
    curve(
      'to send',
      windows.map(({ remaining }) => remaining),
      sizeText,
    ),
    curve(
      'sent per second',
      windows.map(({ rate }) => rate),
      sizeText,
    ),
    curve(
      'dirtied per second',
      windows.map(({ t }) => dirtyRateAt(summary, t)),
      sizeText,
    ),
  ];
  if (throttle.length > 0)
    lines.push(
      curve(
        'guest slowed down',
        windows.map((window) => window.throttle),
        (percent) => `${Math.round(percent)} %`,
      ),
    );
  return [`from ${timeText(windows[0]!.t)} to ${timeText(windows.at(-1)!.t)}`, ...lines];
}

function curve(name: string, values: readonly number[], text: (value: number) => string): string {
  const most = Math.max(...values);
  const columns = Math.min(WIDTH, values.length);
  const bars = Array.from({ length: columns }, (_, i) => {
    const from = Math.floor((i * values.length) / columns);
    const to = Math.max(from + 1, Math.floor(((i + 1) * values.length) / columns));
    const value = Math.max(...values.slice(from, to));
    return most === 0 ? LEVELS[0] : LEVELS[Math.round((value / most) * (LEVELS.length - 1))];
  });
  return `  ${name.padEnd(18)} ${bars.join('')}  at most ${text(most)}`;
}

function pause({ pause: steps }: MigrationSummary): string[] {
  if (steps.length === 0) return [];
  const start = steps[0]!.begin;
  const rows = steps.map((step) => [
    step.side,
    `+${timeText(step.begin - start)}`,
    timeText(step.ms),
    step.bytes === undefined ? '' : sizeText(step.bytes),
    stepName(step),
  ]);
  return table(['pause', 'at', 'lasts', 'bytes', 'what'], rows, 4);
}

function stepName({ name, within }: PauseStep): string {
  return within === true ? `  ${name}` : name;
}

function live({ parts }: MigrationSummary): string[] {
  if (parts.length === 0) return [];
  const rows = parts.map(({ idstr, instance, parts: count, bytes, ms }) => [
    `${idstr}${instance === 0 ? '' : `/${instance}`}`,
    countText(count),
    sizeText(bytes),
    timeText(ms),
  ]);
  return table(['while it ran', 'parts', 'bytes', 'time'], rows, 0);
}

/** Columns that are as wide as they must; all but one are aligned to the right. */
function table(titles: readonly string[], rows: readonly (readonly string[])[], left = -1): string[] {
  const widths = titles.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]!.length)));
  const line = (cells: readonly string[]) =>
    `  ${cells.map((cell, i) => (i === left || (i === 0 && left >= 0) ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  ')}`.trimEnd();
  return [line(titles), ...rows.map(line)];
}
