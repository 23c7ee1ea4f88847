import { definePlugin, type Plugin } from '@sterna/core';
import { cacheModel } from './cache-model.ts';
import { executionLog } from './execution-log.ts';
import { hotBlocks } from './hot-blocks.ts';
import { instructionMix } from './instruction-mix.ts';

export { blocksOf, type HotBlock } from './blocks.ts';
export { Cache } from './cache.ts';
export { CacheModel, cacheModel } from './cache-model.ts';
export { ExecutionLog, executionLog, type LogOptions } from './execution-log.ts';
export { hotBlocks } from './hot-blocks.ts';
export { instructionMix } from './instruction-mix.ts';

const plugin: Plugin = definePlugin({
  name: 'instrumentation',
  devices: [hotBlocks, instructionMix, executionLog, cacheModel],
});
export default plugin;
