import { describe, test } from 'vitest';
import { checkRow } from './check-row.ts';
import { DELIVERY_CASES } from './delivery-cases.ts';

describe('exceptions', () => {
  test.for(DELIVERY_CASES)('$mode: $name', (row) => checkRow(row));
});
