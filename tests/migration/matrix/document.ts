/**
 * The table of QEMU's migration tests in `docs/reference/migration-tests.md`, between its two marks. Run as a program it
 * writes the table; `document.test.ts` fails when it is out of date.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Direction, directionText, type Row, SELF } from './row.ts';
import { ROWS } from './rows.ts';

const PATH = join(import.meta.dirname, '../../../docs/reference/migration-tests.md');
const [BEGIN, END] = ['<!-- matrix -->', '<!-- end of matrix -->'];

function list(directions: readonly Direction[], suffix: string): string[] {
  return directions.map((direction) => directionText(direction) + suffix);
}

function line({ name, proves, run, directions = [SELF], longDirections = [], later, instead, note }: Row): string {
  const ways = run === undefined ? [] : [...list(directions, ''), ...list(longDirections, ' (long)')];
  const result = instead ?? (later === undefined ? 'passes' : `later: ${later}`);
  return `| ${[`\`${name}\``, proves + (note === undefined ? '' : ` (${note})`), ways.join('; '), result].join(' | ')} |`;
}

/** The page with the table as it should be. */
export function withTable(page: string): string {
  const [before, after] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (before < 0 || after < before) throw new Error(`${PATH} has no ${BEGIN} ... ${END}`);
  const table = ["| QEMU's test | proves | our directions | result |", '|---|---|---|---|', ...ROWS.map(line)];
  return `${page.slice(0, before)}${BEGIN}\n\n${table.join('\n')}\n\n${page.slice(after)}`;
}

/** The page as it is. */
export function readPage(): string {
  return readFileSync(PATH, 'utf8');
}

if (import.meta.main) writeFileSync(PATH, withTable(readPage()));
