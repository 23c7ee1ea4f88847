import { spawnSync } from 'node:child_process';
import { readTrace, summarize, type Trace } from '@sterna/migration';
import { describe, expect, it } from 'vitest';
import { countText, sizeText, ticks, timeText } from '../../src/report/format.ts';
import { reportHtml } from '../../src/report/html.ts';
import { reportText } from '../../src/report/text.ts';

const ram = (transferred: number, remaining: number, mbps: number) => ({
  transferred,
  remaining,
  total: 1e8,
  duplicate: 10,
  normal: 2000,
  'normal-bytes': 8_192_000,
  'dirty-pages-rate': 5,
  mbps,
  'page-size': 4096,
  'multifd-bytes': 4096,
  'downtime-bytes': 50,
});
const trace = (side: string, records: readonly object[], header: object = {}): Trace =>
  readTrace(
    [
      {
        type: 'trace',
        version: 1,
        side,
        by: 'test',
        date: '2026-11-21',
        channel: 'unix:/m',
        capabilities: ['events'],
        ...header,
      },
      ...records,
    ]
      .map((line) => `${JSON.stringify(line)}\n`)
      .join(''),
    'test',
  );

const SOURCE = trace(
  'source',
  [
    { type: 'status', t: -2, status: 'setup' },
    { type: 'ping', t: 3, value: 1 },
    { type: 'pong', t: 5, value: 1 },
    { type: 'status', t: 6, status: 'active' },
    { type: 'pass', t: 7, pass: 1, dirtied: 0, remaining: 1e8, sent: 100 },
    {
      type: 'window',
      t: 100,
      ms: 95,
      ram: ram(5e6, 5e7, 800),
      throttle: 0,
      expectedDowntime: 300,
      parts: [{ idstr: 'ram', instance: 0, parts: 3, bytes: 5e6, ms: 40 }],
    },
    { type: 'throttle', t: 150, percentage: 20 },
    { type: 'window', t: 200, ms: 100, ram: ram(9e6, 1e6, 700), throttle: 20, expectedDowntime: 30, parts: [] },
    { type: 'pass', t: 210, pass: 2, dirtied: 400, remaining: 2e6, sent: 9e6 },
    { type: 'point', t: 220, point: 'stop' },
    { type: 'point', t: 221, point: 'stopped' },
    { type: 'point', t: 222, point: 'inactivated' },
    { type: 'section', t: 222.5, ms: 1, kind: 'full', idstr: 'cpu', instance: 0, id: 4, offset: 9e6, bytes: 1900 },
    { type: 'point', t: 225, point: 'saved' },
    { type: 'point', t: 226, point: 'flushed' },
    { type: 'point', t: 227, point: 'committed' },
    { type: 'point', t: 232, point: 'answered' },
    { type: 'status', t: 233, status: 'completed' },
    { type: 'end', t: 233, ram: ram(10e6, 0, 700), downtime: 12, setupTime: 4, totalTime: 231, parts: [] },
  ],
  { machine: '<script>alert("x")</script> & co' },
);
const DESTINATION = trace('destination', [
  { type: 'status', t: 0, status: 'setup' },
  { type: 'ping', t: 1004, value: 1 },
  { type: 'section', t: 1224, ms: 1, kind: 'full', idstr: 'cpu', instance: 0, id: 4, offset: 9e6, bytes: 1890 },
  { type: 'point', t: 1228, point: 'loaded' },
  { type: 'point', t: 1229, point: 'activate' },
  { type: 'point', t: 1230, point: 'started' },
  { type: 'status', t: 1230, status: 'completed' },
  { type: 'end', t: 1231, parts: [] },
]);

describe('a report', () => {
  it('measures the pause from the stop here to the start there', () => {
    const summary = summarize({ source: SOURCE, destination: DESTINATION });
    expect(summary).toMatchObject({ status: 'completed', pauseMs: 10, pauseOfBoth: true, totalMs: 233, connectMs: 2 });
    expect(summary.alignment).toEqual({ offset: -1000, uncertainty: 1, pings: 1 });
    expect(summary.dirtied).toEqual([{ from: 7, to: 210, rate: (400 * 4096 * 1000) / 203 }]);
    expect(summarize({ source: SOURCE })).toMatchObject({ pauseMs: 12, pauseOfBoth: false });
    expect(summarize({ destination: DESTINATION })).toMatchObject({ sides: ['destination'], passes: [] });
  });

  it('is a text with every pass and step', () => {
    const text = reportText(summarize({ source: SOURCE, destination: DESTINATION }));
    expect(text).toContain(
      'completed in 233 ms, the guest stood still for 10.00 ms until it ran on at the destination',
    );
    expect(text).toContain('times of the destination are exact to 1.00 ms (1 ping)');
    expect(text).toMatch(/^ +2 +210 ms +16\.00 ms +400 /m);
    expect(text).toMatch(/source +\+2\.50 ms +1\.00 ms +1\.86 KiB {4}cpu$/m);
    expect(text).toMatch(/destination +\+9\.00 ms +1\.00 ms +take over disks, start$/m);
    expect(text).toContain('guest slowed down');
    for (const line of text.split('\n')) expect(line).toBe(line.trimEnd());
  });

  it('of what was cut, or is of one side, is made as well', () => {
    for (const sides of [
      { destination: DESTINATION },
      { source: SOURCE },
      { source: trace('source', []) },
      { source: trace('source', [{ type: 'status', t: 1, status: 'active' }]), destination: DESTINATION },
    ]) {
      expect(reportText(summarize(sides)).length).toBeGreaterThan(20);
      expect(parse(reportHtml(summarize(sides))).problems).toEqual([]);
    }
    expect(reportText(summarize({ source: trace('source', []) }))).toContain('the trace ends before the migration did');
  });
});

const python = spawnSync('python3', ['--version']).status === 0;
if (!python && process.env['CI']) throw new Error('no python3 on this machine');

interface Parsed {
  readonly problems: readonly string[];
  readonly tags: Readonly<Record<string, number>>;
  readonly references: readonly string[];
  readonly ids: readonly string[];
  readonly labels: readonly string[];
  readonly text: string;
}

/** What an independent parser finds: unclosed or crossed elements, references, ids. */
function parse(html: string): Parsed {
  const script = `
import html.parser, json, sys
class P(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.stack, self.problems, self.tags, self.references, self.ids, self.labels, self.text = [], [], {}, [], [], [], ''
    def handle_starttag(self, tag, attrs):
        self.tags[tag] = self.tags.get(tag, 0) + 1
        for k, v in attrs:
            if k in ('src', 'href', 'data', 'action', 'srcset', 'poster') or (v and 'url(' in v): self.references.append(f'{tag} {k}={v}')
            if k.startswith('on'): self.problems.append(f'{tag} has {k}')
            if k == 'id': self.ids.append(v)
            if k == 'aria-labelledby': self.labels += v.split()
        if tag not in ('meta', 'link', 'br', 'img', 'input', 'line', 'rect') or self.get_starttag_text()[-2:] != '/>' and tag in ('line', 'rect'): self.stack.append(tag)
    def handle_startendtag(self, tag, attrs):
        n = len(self.stack); self.handle_starttag(tag, attrs); del self.stack[n:]
    def handle_endtag(self, tag):
        if not self.stack or self.stack[-1] != tag: self.problems.append(f'</{tag}> closes {self.stack[-1:]}')
        else: self.stack.pop()
    def handle_data(self, data):
        self.text += data
p = P(); p.feed(sys.stdin.read()); p.close()
p.problems += [t + ' is not closed' for t in p.stack if t not in ('meta', 'link')]
print(json.dumps({k: getattr(p, k) for k in ('problems', 'tags', 'references', 'ids', 'labels', 'text')}))
`;
  const run = spawnSync('python3', ['-c', script], { input: html, encoding: 'utf8' });
  if (run.status !== 0) throw new Error(run.stderr);
  return JSON.parse(run.stdout) as Parsed;
}

describe.skipIf(!python)(`the page${python ? '' : ' (no python3 on this machine)'}`, () => {
  const html = reportHtml(summarize({ source: SOURCE, destination: DESTINATION }));

  it('is complete and needs nothing else', () => {
    const page = parse(html);
    expect(page.problems).toEqual([]);
    expect(page.references).toEqual([]);
    for (const absent of ['script', 'link', 'img', 'iframe', 'object', 'base'])
      expect(page.tags).not.toHaveProperty(absent);
    expect(html).not.toMatch(/https?:|@import|url\(/);
    expect(html.startsWith('<!doctype html>\n<html lang="en">')).toBe(true);
    expect(html).toContain('color-scheme: light dark');
    expect(html).toContain('prefers-color-scheme: dark');
  });

  it('has a table behind every chart, and a name for each', () => {
    const page = parse(html);
    expect(page.tags['svg']).toBe(5);
    expect(page.tags['table']!).toBeGreaterThanOrEqual(page.tags['svg']!);
    expect(page.tags['caption']).toBe(page.tags['table']);
    expect(new Set(page.ids).size).toBe(page.ids.length);
    for (const label of page.labels) expect(page.ids).toContain(label);
    for (const figure of ['10.00 ms', 'take over disks, start', '20 %', 'whole pages', 'completed'])
      expect(page.text).toContain(figure);
  });

  it('shows names as they are', () => {
    expect(html).not.toContain('<script');
    expect(parse(html).text).toContain('migration of <script>alert("x")</script> & co');
  });
});

it('shows figures with three digits and their unit', () => {
  expect([0, 999, 1000, 1024 ** 2 * 1.5].map(sizeText)).toEqual(['0 B', '999 B', '0.977 KiB', '1.50 MiB']);
  expect([0.0004, 0.5, 12.345, 1234, 12_345].map(timeText)).toEqual([
    '0 µs',
    '500 µs',
    '12.35 ms',
    '1234 ms',
    '12.3 s',
  ]);
  expect(countText(1234567)).toBe('1 234 567');
  expect(ticks(10, 5)).toEqual([0, 2, 4, 6, 8, 10]);
  expect(ticks(0, 5)).toEqual([0]);
  expect(ticks(100 * 2 ** 20, 4, 2)).toEqual([0, 32 * 2 ** 20, 64 * 2 ** 20, 96 * 2 ** 20]);
});
