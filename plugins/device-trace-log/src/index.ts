import { definePlugin, type Plugin } from '@sterna/core';
import { traceLog } from './trace-log.ts';

export { traceLog };

const plugin: Plugin = definePlugin({ name: 'trace-log', devices: [traceLog] });
export default plugin;
