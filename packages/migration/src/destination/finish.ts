import { isVmStateTable, type RunState } from '@sterna/core';
import { StreamError } from '../errors.ts';
import { SECTION } from '../stream/constants.ts';
import type { DestinationContext } from './context.ts';

/** Longest description that is skipped. */
const MAX_DESCRIPTION = 64 * 2 ** 20;

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
  throw new StreamError(`the stream ends without ${names}`, { offset: ctx.reader.offset });
}

/** Skips the description of the devices, which old and foreign sources may leave out. */
export async function skipDescription(ctx: DestinationContext): Promise<void> {
  const { reader } = ctx;
  if (!(await reader.hasMore()) || reader.peekU8() !== SECTION.vmdescription) return;
  await reader.ensure(5);
  reader.skip(1);
  const length = reader.u32();
  if (length > MAX_DESCRIPTION)
    throw new StreamError(`a description of ${length} bytes`, { section: 'vmdescription', offset: reader.offset });
  for (let left = length; left > 0; ) {
    await reader.ensure(1);
    const part = Math.min(left, reader.available);
    reader.skip(part);
    left -= part;
  }
}

/** Phase 4: the guest goes on as it was on the source; `autostart` false holds a running one. */
export async function activate(ctx: DestinationContext, autostart: boolean): Promise<void> {
  const { host, globalState, seen } = ctx;
  // A source that does not say was running.
  const state: RunState = seen.has('globalstate/0') ? globalState.runState : 'running';
  if (state === 'running' && autostart) {
    await host.activateDisks?.();
    host.start();
  } else host.setRunState(state === 'running' ? 'paused' : landed(state));
}

/** States that only make sense on the source become `paused`. */
function landed(state: RunState): RunState {
  return state === 'finish-migrate' || state === 'inmigrate' || state === 'postmigrate' ? 'paused' : state;
}
