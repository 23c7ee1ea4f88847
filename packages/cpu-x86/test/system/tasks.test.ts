import { describe, test } from 'vitest';
import { checkRow } from './check-row.ts';
import { TASK_CASES } from './task-cases.ts';

describe('task switches', () => {
  test.for(TASK_CASES)('$mode: $name', (row) => checkRow(row));
});
