import { isVmStateTable } from '@sterna/core';
import type { MigrationHost } from '../host.ts';
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

/**
 * Saves every device to nowhere while nobody waits, one device in each turn of the loop; once for each machine, since the
 * second time is not slow any more. JavaScript is compiled when it first runs, and a table's fields are made when they are
 * first wanted; without a rehearsal both happen while the guest stands still, and take most of its pause. That goes for the
 * destination too: the tables that it loads by are the same.
 *
 * A device that cannot be saved is no error yet: it may be another matter when the guest has stopped.
 */
export class Rehearsal {
  readonly #host: Pick<MigrationHost, 'slowAtFirst' | 'sections'>;
  readonly #pace: Pace;
  #begun = false;
  #over = false;

  constructor(host: Pick<MigrationHost, 'slowAtFirst' | 'sections'>, pace: Pace) {
    this.#host = host;
    this.#pace = pace;
  }

  /** Whether a guest would not gain by waiting for it. */
  get over(): boolean {
    return this.#over;
  }

  /** Begins, unless it has begun before or nothing is slow here. */
  start(): void {
    if (this.#begun) return;
    this.#begun = true;
    this.#over = this.#host.slowAtFirst !== true;
    if (this.#over) return;
    void this.#run().finally(() => this.stop());
  }

  /** The real thing begins. */
  stop(): void {
    this.#over = true;
  }

  async #run(): Promise<void> {
    for (let round = 0; round < ROUNDS; round++) {
      const writer = new StreamWriter(nowhere, new Uint8Array(2 ** 18));
      const devices: DeviceDescription[] = [];
      for (const { idstr, instanceId, vmstate: table, state } of this.#host.sections()) {
        if (!isVmStateTable(table)) continue;
        await this.#pace.turn();
        if (this.#over) return;
        try {
          if (table.needed?.(state) === false) continue;
          devices.push({ name: idstr, instance_id: instanceId, ...saveVmState(writer, table, state) });
        } catch {
          // Said when it counts.
        }
      }
      vmDescriptionJson({ page_size: 4096, devices });
    }
  }
}
