import { definePlugin, type Plugin } from '@sterna/core';
import { myThing } from './my-thing.ts';

export { myThing };

const plugin: Plugin = definePlugin({ name: 'my-thing', devices: [myThing] });
export default plugin;
