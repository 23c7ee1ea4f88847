import { StreamWriter } from '../stream/writer.ts';
import type { MigrationChannel } from '../transport/channel.ts';
import { type DeviceDescription, vmDescriptionJson } from '../vmstate/describe.ts';
import { saveVmState } from '../vmstate/save.ts';
import type { SourceContext } from './context.ts';

/** Times that each device is saved; the third is about as fast as it gets. */
const ROUNDS = 3;

/** Where rehearsed bytes go. */
const nowhere: MigrationChannel = {
  name: 'nowhere',
  bidirectional: false,
  write: async () => {},
  read: async () => undefined,
  end: async () => {},
  abort: () => {},
  close: async () => {},
};

/**
 * Saves every device to nowhere while the guest still runs, one device in each turn of the loop. JavaScript is compiled when
 * it first runs; without a rehearsal that happens while the guest stands still, and takes most of its pause.
 *
 * A device that cannot be saved is no error yet: it may be another matter when the guest has stopped.
 *
 * @returns a function that tells whether the rehearsal is over
 */
export function startRehearsal(ctx: SourceContext): () => boolean {
  let over = ctx.host.slowAtFirst !== true;
  const run = async (): Promise<void> => {
    for (let round = 0; round < ROUNDS; round++) {
      const writer = new StreamWriter(nowhere, new Uint8Array(2 ** 18));
      const devices: DeviceDescription[] = [];
      for (const { header, table, state } of ctx.full) {
        await ctx.pace.turn();
        if (ctx.signal.aborted || ctx.stoppedFrom !== undefined) return;
        try {
          if (table.needed?.(state) === false) continue;
          devices.push({ name: header.idstr, instance_id: header.instanceId, ...saveVmState(writer, table, state) });
        } catch {
          // Said when it counts.
        }
      }
      vmDescriptionJson({ page_size: 4096, devices });
    }
  };
  if (!over)
    void run().finally(() => {
      over = true;
    });
  return () => over;
}
