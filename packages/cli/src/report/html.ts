/** A report as one page that needs nothing else: no script, no font, no picture from anywhere. */
import type { MigrationSummary, PauseStep } from '@sterna/migration';
import { countText, sizeText, timeText } from './format.ts';
import { STYLE } from './style.ts';
import { type Bar, lineChart, markup, shareBar, timeline } from './svg.ts';
import { alignmentText, dirtyRateAt, headline, kinds } from './text.ts';

/** Rows of a table of windows; a longer one is thinned out. */
const MOST_WINDOWS = 240;
const KIND_STYLES = ['a', 'b', 'c', 'd'];

/** The whole page. */
export function reportHtml(summary: MigrationSummary): string {
  const title = headline(summary);
  const sections = [
    ram(summary),
    rates(summary),
    throttled(summary),
    passes(summary),
    sent(summary),
    pause(summary),
    states(summary),
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="sterna report">
<title>${markup(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>${markup(title)}</h1>
${facts(summary)}
</header>
<main>
${sections.filter((section) => section !== '').join('\n')}
</main>
</body>
</html>
`;
}

function facts(summary: MigrationSummary): string {
  const {
    channel,
    date,
    capabilities,
    complete,
    error,
    sides,
    bytes,
    totalMs,
    connectMs,
    pauseMs,
    passes: list,
    setupMs,
  } = summary;
  const paragraphs = [
    `<p class="quiet">${markup(channel)}, ${markup(date)}, seen from ${sides.map((side) => `the ${side}`).join(' and ')}</p>`,
    ...(capabilities.length === 0 ? [] : [`<p class="quiet">capabilities: ${markup(capabilities.join(', '))}</p>`]),
    ...(error === undefined ? [] : [`<p class="bad">${markup(error)}</p>`]),
    ...(complete ? [] : ['<p class="bad">the trace ends before the migration did</p>']),
  ];
  const aligned = alignmentText(summary);
  if (aligned !== undefined) paragraphs.push(`<p class="quiet">${markup(aligned)}</p>`);
  const figures = [
    ['total', timeText(totalMs)],
    ['connecting', timeText(connectMs)],
    ...(pauseMs === undefined ? [] : [['pause of the guest', timeText(pauseMs)]]),
    ...(setupMs === undefined ? [] : [['setup', timeText(setupMs)]]),
    ...(bytes.total === 0 ? [] : [['sent', sizeText(bytes.total)]]),
    ...(list.length === 0 ? [] : [['passes', String(list.length)]]),
    ...(bytes.total === 0 || totalMs === 0 ? [] : [['rate over all', `${sizeText((bytes.total / totalMs) * 1000)}/s`]]),
  ];
  const list2 = figures
    .map(([name, value]) => `<div><dt>${markup(name!)}</dt><dd>${markup(value!)}</dd></div>`)
    .join('');
  return `${paragraphs.join('\n')}\n<dl class="figures">${list2}</dl>`;
}

function ram({ windows, passes: list, totalMs }: MigrationSummary): string {
  const points = [
    ...list.map(({ begin, remaining }) => [begin, remaining] as const),
    ...windows.map(({ t, remaining }) => [t, remaining] as const),
  ].sort((a, b) => a[0] - b[0]);
  if (points.length < 2) return '';
  const chart = lineChart({
    id: 'remaining',
    title: 'RAM that waits to be sent, over time',
    description: `It begins with ${sizeText(points[0]![1])} and is looked through ${list.length} times; the table of passes has the figures.`,
    series: [{ name: 'to be sent', style: 'a', points }],
    marks: list.map(({ pass, begin }) => ({ t: begin, label: `pass ${pass}` })),
    end: totalMs,
    value: sizeText,
    sizes: true,
  });
  return section(
    'ram',
    'RAM to be sent',
    `${figure(chart)}<p class="quiet">Dotted lines: a pass over RAM begins, with what was dirtied meanwhile.</p>`,
  );
}

function rates(summary: MigrationSummary): string {
  const { windows, passes: list, dirtied, totalMs } = summary;
  if (windows.length < 2) return '';
  const chart = lineChart({
    id: 'rates',
    title: 'Bytes sent and bytes dirtied per second, over time',
    description: `At most ${sizeText(Math.max(...windows.map(({ rate }) => rate)))} per second were sent, and ${sizeText(Math.max(0, ...dirtied.map(({ rate }) => rate)))} per second dirtied; the table has all windows.`,
    series: [
      {
        name: 'sent per second',
        style: 'a',
        points: windows.flatMap(({ t, ms, rate }) => [[t - ms, rate] as const, [t, rate] as const]),
      },
      {
        name: 'dirtied per second',
        style: 'b',
        points: dirtied.flatMap(({ from, to, rate }) => [[from, rate] as const, [to, rate] as const]),
      },
    ],
    marks: list.map(({ pass, begin }) => ({ t: begin, label: `pass ${pass}` })),
    end: totalMs,
    value: (value) => `${sizeText(value)}/s`,
    sizes: true,
  });
  const every = Math.ceil(windows.length / MOST_WINDOWS);
  const rows = windows
    .filter((_, i) => i % every === 0)
    .map(({ t, remaining, rate, throttle, expectedDowntime }) => [
      timeText(t),
      sizeText(remaining),
      `${sizeText(rate)}/s`,
      `${sizeText(dirtyRateAt(summary, t))}/s`,
      `${throttle} %`,
      timeText(expectedDowntime),
    ]);
  const caption = every === 1 ? 'Windows of measurement' : `Every ${every}th window of measurement`;
  return section(
    'rates-of',
    'Rates',
    `${key([
      ['a', 'sent'],
      ['b', 'dirtied by the guest'],
    ])}${figure(chart)}${details(
      'The figures',
      table(caption, ['at', 'to send', 'sent', 'dirtied', 'slowed down', 'pause expected'], rows),
    )}`,
  );
}

function throttled({ windows, throttle, totalMs }: MigrationSummary): string {
  if (throttle.length === 0) return '';
  const points: [number, number][] = [[0, 0]];
  for (const { t, percentage } of throttle) points.push([t, points.at(-1)![1]], [t, percentage]);
  points.push([totalMs, points.at(-1)![1]]);
  const chart = lineChart({
    id: 'throttle',
    title: 'How much the guest was slowed down, over time',
    description: `Up to ${Math.max(...throttle.map(({ percentage }) => percentage))} percent of the time, in ${windows.length} windows.`,
    series: [{ name: 'slowed down', style: 'c', points }],
    marks: [],
    end: totalMs,
    value: (value) => `${Math.round(value)} %`,
    sizes: false,
    least: 100,
  });
  const rows = throttle.map(({ t, percentage }) => [timeText(t), `${percentage} %`]);
  return section(
    'throttled',
    'The guest slowed down',
    `${figure(chart)}${details('The figures', table('Steps', ['at', 'slowed down'], rows))}`,
  );
}

function passes({ passes: list }: MigrationSummary): string {
  if (list.length === 0) return '';
  const rows = list.map(({ pass, begin, ms, dirtied, remaining, sent: bytes }) => [
    String(pass),
    timeText(begin),
    timeText(ms),
    countText(dirtied),
    sizeText(remaining),
    sizeText(bytes),
    ms > 0 ? `${sizeText((bytes / ms) * 1000)}/s` : '',
  ]);
  return section(
    'passes',
    'Passes over RAM',
    table(
      'The last pass begins when the guest stands still',
      ['pass', 'begins', 'lasts', 'pages dirtied', 'to send', 'sent', 'rate'],
      rows,
    ),
  );
}

function sent(summary: MigrationSummary): string {
  const { bytes, parts } = summary;
  const list = kinds(summary);
  if (bytes.total === 0 || list.length === 0) return '';
  const bar = shareBar(
    'kinds',
    'Bytes sent, by kind',
    list.map(({ name, bytes: size }) => `${name} ${sizeText(size)}`).join(', '),
    list.map(({ name, bytes: size }, i) => ({ name, style: KIND_STYLES[i]!, value: size, text: sizeText(size) })),
  );
  const rows = list.map(({ name, bytes: size, pages }) => [
    name,
    sizeText(size),
    `${((size / bytes.total) * 100).toFixed(1)} %`,
    pages === undefined ? '' : countText(pages),
  ]);
  const live = parts.map(({ idstr, instance, parts: count, bytes: size, ms }) => [
    `${idstr}${instance === 0 ? '' : `/${instance}`}`,
    countText(count),
    sizeText(size),
    timeText(ms),
  ]);
  return section(
    'bytes',
    'Bytes by kind',
    `${key(list.map(({ name }, i) => [KIND_STYLES[i]!, name]))}${figure(bar)}${table('Of the stream', ['kind', 'bytes', 'share', 'pages'], rows, 1)}${
      bytes.multifd === 0 ? '' : `<p class="quiet">${markup(sizeText(bytes.multifd))} of it over multifd channels</p>`
    }${live.length === 0 ? '' : table('Sections sent while the guest ran', ['section', 'parts', 'bytes', 'time'], live, 1)}`,
  );
}

function pause({ pause: steps, pauseMs, sides }: MigrationSummary): string {
  if (steps.length === 0) return '';
  const start = steps[0]!.begin;
  const bars: Bar[] = steps.map((step) => ({
    label: step.within === true ? step.name : `${step.name}`,
    style: styleOf(step),
    begin: step.begin,
    ms: step.ms,
    detail: `${step.side}, ${timeText(step.ms)}${step.bytes === undefined ? '' : `, ${sizeText(step.bytes)}`}`,
  }));
  const chart = timeline(
    'pause',
    'What happened while the guest stood still',
    `${steps.length} steps of ${sides.join(' and ')}; the table has them in the same order.`,
    bars,
  );
  const rows = steps.map((step) => [
    step.side,
    step.name,
    timeText(step.begin - start),
    timeText(step.ms),
    step.bytes === undefined ? '' : sizeText(step.bytes),
  ]);
  const shown: [string, string][] = [
    ['a', 'source'],
    ['c', 'a section, saved'],
  ];
  if (sides.includes('destination')) shown.push(['b', 'destination'], ['d', 'a section, loaded']);
  return section(
    'pause-of',
    `The pause of the guest${pauseMs === undefined ? '' : `: ${timeText(pauseMs)}`}`,
    `${key(shown)}${figure(chart)}${details('The figures', table('Steps and sections', ['side', 'what', 'at', 'lasts', 'bytes'], rows, 2))}`,
  );
}

function styleOf({ side, bytes }: PauseStep): string {
  if (side === 'source') return bytes === undefined ? 'a' : 'c';
  return bytes === undefined ? 'b' : 'd';
}

function states({ states: list }: MigrationSummary): string {
  if (list.length === 0) return '';
  const rows = [...list].sort((a, b) => a.t - b.t).map(({ side, t, status }) => [side, status, timeText(t)]);
  return section('states', 'States', table('As query-migrate shows them', ['side', 'state', 'entered at'], rows, 2));
}

function section(id: string, title: string, content: string): string {
  return `<section aria-labelledby="${id}"><h2 id="${id}">${markup(title)}</h2>${content}</section>`;
}

function figure(chart: string): string {
  return `<figure><div class="scroll" tabindex="0" role="group" aria-label="chart">${chart}</div></figure>`;
}

function details(title: string, content: string): string {
  return `<details><summary>${markup(title)}</summary>${content}</details>`;
}

function key(entries: readonly (readonly [style: string, name: string])[]): string {
  return `<ul class="key">${entries.map(([style, name]) => `<li class="${style}">${markup(name)}</li>`).join('')}</ul>`;
}

/** @param names how many of the first columns are words */
function table(caption: string, titles: readonly string[], rows: readonly (readonly string[])[], names = 0): string {
  const name = (i: number) => (i < names ? ' class="name"' : '');
  const head = titles.map((title, i) => `<th scope="col"${name(i)}>${markup(title)}</th>`).join('');
  const body = rows
    .map((row) => `<tr>${row.map((cell, i) => `<td${name(i)}>${markup(cell)}</td>`).join('')}</tr>`)
    .join('\n');
  return `<div class="scroll" tabindex="0" role="group" aria-label="${markup(caption)}"><table><caption>${markup(caption)}</caption><thead><tr>${head}</tr></thead><tbody>\n${body}\n</tbody></table></div>`;
}
