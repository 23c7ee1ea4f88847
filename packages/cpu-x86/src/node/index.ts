export { prepareInterpreter, shipInterpreter } from './interpreter-cache.ts';
export { startTranslator } from './translator.ts';
