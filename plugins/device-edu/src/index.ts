import { definePlugin, type Plugin } from '@sterna/core';
import { EDU_BUFFER, edu } from './edu.ts';

export { EDU_BUFFER, edu };

const plugin: Plugin = definePlugin({ name: 'edu', devices: [edu] });
export default plugin;
