import { PACKET_METHOD_MEMORY, PacketMethod } from '../multifd/packet-method.ts';
import type { MethodContext, PageMethod, SharePlan } from '../multifd/page-method.ts';
import { PageShare } from '../multifd/page-share.ts';
import { nodeCodecs } from './multifd-codecs.ts';
import type { ThreadOutput } from './thread-output.ts';

/** A channel's share of RAM, in the channel's thread. */
export function threadShare(output: ThreadOutput, plan: SharePlan): PageShare {
  return new PageShare(
    plan,
    plan.target.kind === 'packets' ? PACKET_METHOD_MEMORY : 0,
    () => performance.now(),
    (context) => methodOf(output, plan, context),
  );
}

function methodOf(output: ThreadOutput, { target }: SharePlan, context: MethodContext): PageMethod {
  if (target.kind === 'file') return output.file!.pageMethod(context, target);
  return new PacketMethod(context, output, target, nodeCodecs.encoder(target.compression, target.level));
}
