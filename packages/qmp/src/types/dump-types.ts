import { type QapiType, t } from '../schema/types.ts';
import type { DumpQuery } from '../target.ts';

/** QAPI DumpQueryResult. */
export const DUMP_QUERY: QapiType<DumpQuery> = t.object({
  status: t.enum(['none', 'active', 'completed', 'failed']),
  completed: t.int,
  total: t.int,
});
