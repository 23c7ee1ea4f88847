import { interpreterBytes, provideInterpreter } from '../engine.ts';
import { cacheInterpreter, packInterpreter, readInterpreter } from './interpreter-file.ts';

/**
 * Makes the interpreter module ready: takes it from the package or the cache, or prints it (about half a second) and
 * writes it to the cache for the next process. Call it once before the first CPU is created; a cache that cannot be read
 * or written is no error.
 */
export function prepareInterpreter(): void {
  const known = readInterpreter();
  if (known !== undefined) provideInterpreter(known);
  else cacheInterpreter(interpreterBytes());
}

/** Prints the interpreter beside the compiled files, for the tarball, and removes those of earlier builds. */
export function shipInterpreter(): void {
  packInterpreter(interpreterBytes());
}
