/** Our own state machines, over real sockets, with machines that have no CPU. */
import { nodeEventLoop } from '@sterna/core/node';
import { MigrationController } from '../../src/controller.ts';
import { NodeMigrationTransport } from '../../src/node/transport.ts';
import { Pace } from '../../src/pace.ts';
import { FakeHost } from '../support/fake-host.ts';
import type { Bench, Side, Start } from './scenarios.ts';

class OwnSide implements Side {
  readonly host: FakeHost;
  readonly controller: MigrationController;
  readonly events: string[] = [];

  constructor({ incoming, paused, sleeper }: Start) {
    const state = incoming === true ? 'inmigrate' : paused === true ? 'prelaunch' : 'running';
    this.host = new FakeHost(state, [['fake.ram', 4 * 2 ** 20]]);
    const { host } = this;
    this.controller = new MigrationController(host, {
      transport: new NodeMigrationTransport(),
      pace: new Pace(nodeEventLoop, { monotonicNs: () => performance.now() * 1e6 }),
    });
    this.controller.autostart = paused !== true;
    this.controller.setCapabilities([{ capability: 'events', state: true }]);
    host.onChange = () => this.#collect();
    if (state !== 'running') return;
    const { hostOffset, usedLength } = host.block('fake.ram');
    for (let at = 0; at < usedLength; at += 4096) host.guestWrite(hostOffset + at, 1 + (at % 255));
    if (sleeper !== true) return;
    host.setRunState('suspended');
    this.events.push('SUSPEND');
  }

  #collect(): void {
    for (const event of this.host.events.splice(0)) {
      if (event.event === 'MIGRATION') this.events.push(event.data.status);
      else if (event.event !== 'MIGRATION_PASS') this.events.push(event.event);
    }
  }

  async command(execute: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    const { controller } = this;
    const uri = args['uri'] as string;
    switch (execute) {
      case 'migrate':
        controller.migrate(uri).catch(() => {});
        return {};
      case 'migrate-incoming':
        return new Promise((resolve) => controller.migrateIncoming(uri, () => resolve({})).catch(() => {}));
      case 'migrate_cancel':
        return controller.cancel();
      case 'migrate-continue':
        return controller.continue(args['state'] as string);
      case 'migrate-set-capabilities':
        return controller.setCapabilities(args['capabilities'] as { capability: string; state: boolean }[]);
      case 'migrate-set-parameters':
        return controller.setParameters(args);
      case 'stop':
        await controller.stop();
        return {};
      case 'cont':
        await controller.cont();
        return {};
      default:
        throw new Error(`no ${execute} here`);
    }
  }
  async runState(): Promise<string> {
    return this.host.runState;
  }
  kill(): void {
    this.controller.yank();
  }
}

/** Makes machines of ours that meet at sockets in the directory. */
export function ownBench(directory: string): Bench {
  return {
    start: async (_, options) => new OwnSide(options),
    uri: (name) => `unix:${directory}/${name}`,
  };
}
