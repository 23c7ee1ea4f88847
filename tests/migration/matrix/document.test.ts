import { expect, it } from 'vitest';
import { readPage, withTable } from './document.ts';
import { ROWS } from './rows.ts';

it('docs/reference/migration-tests.md lists every test (else run tests/migration/matrix/document.ts)', () => {
  expect(readPage()).toBe(withTable(readPage()));
});

it('every row has a test or a reason, and no name twice', () => {
  for (const { name, run, later, instead } of ROWS)
    expect([name, [run, later, instead].filter((what) => what !== undefined).length]).toEqual([name, 1]);
  expect(new Set(ROWS.map(({ name }) => name)).size).toBe(ROWS.length);
});
