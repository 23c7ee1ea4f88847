import { BlockLayer, blockDrivers, HostImages } from '@sterna/block';
import { nodeHostImages } from '@sterna/block/node';
import { type BlockDriverType, definePlugin, EventLoop, PluginRegistry, Scope } from '@sterna/core';
import { nodeEventLoop } from '@sterna/core/node';

/** A layer with what it has told its surroundings. */
export interface TestLayer {
  readonly layer: BlockLayer;
  readonly events: { readonly name: string; readonly data: Readonly<Record<string, unknown>> }[];
  readonly reports: string[];
  stops: number;
}

/** Options of {@link testLayer}. */
export interface TestLayerOptions {
  readonly images?: HostImages;
  readonly ownsDisks?: boolean;
  readonly loop?: EventLoop;
  readonly drivers?: readonly BlockDriverType[];
}

/** The disks of a machine that is not there. */
export function testLayer(options: TestLayerOptions = {}): TestLayer {
  const registry = new PluginRegistry();
  registry.add(definePlugin({ name: 'block', blockDrivers: [...blockDrivers, ...(options.drivers ?? [])] }));
  const scope = new Scope('test');
  scope.provide(EventLoop, options.loop ?? nodeEventLoop);
  scope.provide(HostImages, options.images ?? nodeHostImages);
  const result = { events: [], reports: [], stops: 0 } as unknown as TestLayer;
  const layer = new BlockLayer({
    driver: (name) => registry.blockDriver(name),
    scope,
    ownsDisks: options.ownsDisks ?? true,
    report: (text) => void result.reports.push(text),
    stopOnError: () => void result.stops++,
    event: (name, data) => void result.events.push({ name, data }),
  });
  return Object.assign(result, { layer });
}
