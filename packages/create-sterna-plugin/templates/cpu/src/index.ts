import { definePlugin, type Plugin } from '@sterna/core';
import { myThingBoard } from './board.ts';
import { myThing } from './my-thing.ts';

export { myThing, myThingBoard };

const plugin: Plugin = definePlugin({ name: 'my-thing', cpus: [myThing], machines: [myThingBoard.type] });
export default plugin;
