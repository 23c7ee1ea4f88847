export { prepareInterpreter, shipInterpreter } from './interpreter-cache.ts';
