import type { VmStateTable } from '@sterna/core';
import type { MigrationHost, SectionName } from '../host.ts';
import type { Pace } from '../pace.ts';
import { StreamWriter } from '../stream/writer.ts';
import type { MigrationChannel } from '../transport/channel.ts';
import { type DeviceDescription, vmDescriptionJson } from './describe.ts';
import { saveVmState } from './save.ts';

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

/** A device of the rehearsal. */
export interface RehearsedDevice extends SectionName {
  // biome-ignore lint/suspicious/noExplicitAny: tables of every device share one list; the pair was checked where it was declared
  readonly table: VmStateTable<any>;
  readonly state: object;
}

/** What a rehearsal is made of. */
export interface RehearsalOptions {
  readonly host: Pick<MigrationHost, 'slowAtFirst'>;
  readonly pace: Pace;
  readonly devices: readonly RehearsedDevice[];
  /** Asked before each device: is it too late? */
  readonly enough: () => boolean;
}

/**
 * Saves every device to nowhere while nobody waits, one device in each turn of the loop. JavaScript is compiled when it first
 * runs, and a table's fields are made when they are first wanted; without a rehearsal both happen while the guest stands
 * still, and take most of its pause. That goes for the destination too: the tables that it loads by are the same.
 *
 * A device that cannot be saved is no error yet: it may be another matter when the guest has stopped.
 *
 * @returns a function that tells whether the rehearsal is over
 */
export function startRehearsal({ host, pace, devices, enough }: RehearsalOptions): () => boolean {
  let over = host.slowAtFirst !== true;
  const run = async (): Promise<void> => {
    for (let round = 0; round < ROUNDS; round++) {
      const writer = new StreamWriter(nowhere, new Uint8Array(2 ** 18));
      const descriptions: DeviceDescription[] = [];
      for (const { idstr, instanceId, table, state } of devices) {
        await pace.turn();
        if (enough()) return;
        try {
          if (table.needed?.(state) === false) continue;
          descriptions.push({ name: idstr, instance_id: instanceId, ...saveVmState(writer, table, state) });
        } catch {
          // Said when it counts.
        }
      }
      vmDescriptionJson({ page_size: 4096, devices: descriptions });
    }
  };
  if (!over)
    void run().finally(() => {
      over = true;
    });
  return () => over;
}
