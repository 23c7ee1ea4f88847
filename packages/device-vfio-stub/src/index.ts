import { definePlugin, type Plugin } from '@sterna/core';
import { vfioStub } from './vfio-stub.ts';

export { VFIO_STATES, type VfioState } from './states.ts';
export { vfioStub };

/** The plugin with the device, for `--plugin`. */
const plugin: Plugin = definePlugin({ name: '@sterna/device-vfio-stub', devices: [vfioStub] });
export default plugin;
