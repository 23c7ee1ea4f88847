import { BlockLayer, type BlockLayerHost, HostImages } from '@sterna/block';
import { nodeHostImages } from '@sterna/block/node';
import {
  BlockActivation,
  BlockBackends,
  EventLoop,
  isRunning,
  type Machine,
  type PluginRegistry,
  type Scope,
  SnapshotDisks,
} from '@sterna/core';
import { nodeEventLoop } from '@sterna/core/node';
import type { MonitorEvent } from '@sterna/qmp';
import type { MachinePlan } from './plan.ts';

/** What disks tell the machine's process. */
export interface DisksHost {
  event(event: MonitorEvent): void;
  report(text: string): void;
}

/** The disks of a machine that does not exist yet when they are opened. */
export class Disks {
  readonly layer: BlockLayer;
  #machine: Machine | undefined;

  private constructor(scope: Scope, registry: PluginRegistry, ownsDisks: boolean, host: DisksHost) {
    const layerHost: BlockLayerHost = {
      driver: (name) => registry.blockDriver(name),
      scope,
      ownsDisks,
      report: (text) => host.report(text),
      event: (event, data) => host.event({ event, data }),
      stopOnError: () => {
        if (this.#machine !== undefined && isRunning(this.#machine.runState)) this.#machine.stop('io-error');
      },
    };
    this.layer = new BlockLayer(layerHost);
  }

  /**
   * Opens the disks of a plan and provides them in `scope`, the parent of the machine's. While a migration is waited for
   * they are somebody else's.
   *
   * @throws SternaError naming the node or drive and the reason; what was opened is closed again
   */
  static async open(plan: MachinePlan, scope: Scope, registry: PluginRegistry, host: DisksHost): Promise<Disks> {
    scope.provide(EventLoop, nodeEventLoop);
    scope.provide(HostImages, nodeHostImages);
    const disks = new Disks(scope, registry, plan.incoming === undefined, host);
    const { layer } = disks;
    try {
      for (const { spec, text } of plan.blockdevs) await layer.add(spec, text);
      for (const drive of plan.drives) await layer.addDrive(drive);
    } catch (error) {
      await layer.close();
      throw error;
    }
    scope.provide(BlockBackends, layer);
    scope.provide(BlockActivation, layer);
    scope.provide(SnapshotDisks, layer);
    return disks;
  }

  /** The machine exists now. */
  follow(machine: Machine): void {
    this.#machine = machine;
    machine.hooks.runState.tap('disks', (state) => {
      if (isRunning(state)) this.layer.machineRuns();
    });
  }
}
