import { PACKET_METHOD_MEMORY, PacketMethod } from '../multifd/packet-method.ts';
import type { SharePlan } from '../multifd/page-method.ts';
import { PageShare } from '../multifd/page-share.ts';
import type { ByteOutput } from '../stream/writer.ts';
import { nodeCodecs } from './multifd-codecs.ts';

/** A channel's share of RAM, in the channel's thread. */
export function threadShare(output: ByteOutput, plan: SharePlan): PageShare {
  const { target } = plan;
  return new PageShare(
    plan,
    PACKET_METHOD_MEMORY,
    () => performance.now(),
    (context) => new PacketMethod(context, output, target, nodeCodecs.encoder(target.compression, target.level)),
  );
}
