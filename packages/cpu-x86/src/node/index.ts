export { prepareInterpreter } from './interpreter-cache.ts';
