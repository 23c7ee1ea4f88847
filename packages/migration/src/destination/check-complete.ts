import { isVmStateTable } from '@sterna/core';
import { StreamError } from '../errors.ts';
import type { DestinationContext } from './context.ts';

/**
 * Phase 3: has everything come? QUIRK: QEMU does not notice a missing device section and starts a guest whose
 * devices have forgotten everything; here the load fails.
 */
export function checkComplete(ctx: DestinationContext): void {
  if (!ctx.ram.listed)
    throw new StreamError('the stream ends without RAM', { section: 'ram', offset: ctx.reader.offset });
  const missing = ctx.sections.filter(
    ({ idstr, instanceId, vmstate }) =>
      isVmStateTable(vmstate) && vmstate.needed === undefined && !ctx.seen.has(`${idstr}/${instanceId}`),
  );
  if (missing.length === 0) return;
  const names = missing.map(({ idstr, instanceId }) => `${idstr}/${instanceId}`).join(', ');
  throw new StreamError(
    `the stream ends without ${names}; start this machine with the same devices and options as the source`,
    { offset: ctx.reader.offset },
  );
}
