import { messageOf, StreamError } from '../errors.ts';
import { SECTION } from '../stream/constants.ts';
import type { DestinationContext } from './context.ts';

/** Longest description that is skipped. */
const MAX_DESCRIPTION = 64 * 2 ** 20;

/**
 * Phase 5: skips the description of the devices, which old and foreign sources may leave out. The end mark has come:
 * the source has given the guest up and may be gone, so nothing that breaks here is a reason not to take it, and nobody
 * waits for what is only of use to tools. QUIRK: QEMU's guest waits until it has come.
 */
export async function skipDescription(ctx: DestinationContext): Promise<void> {
  try {
    await skip(ctx);
  } catch (error) {
    ctx.host.report?.(`the guest has arrived, the description behind it is broken: ${messageOf(error)}`);
  }
}

async function skip({ reader }: DestinationContext): Promise<void> {
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
