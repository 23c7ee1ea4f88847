import { enableCompileCache, flushCompileCache } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';

/**
 * Runs a program's main function with the command line's arguments and ends the process with its answer. What Node
 * compiles is kept for the next start; that halves the time until the guest runs.
 *
 * @param runsMachine whether the command line asks for a machine, and not for a text
 */
export async function enterProgram(
  load: () => Promise<(args: readonly string[]) => Promise<number>>,
  runsMachine: boolean,
): Promise<void> {
  const eager = process.argv.some((argument) => /^--?incoming(=|$)/.test(argument));
  if (eager) compileEagerly();
  else enableCompileCache();
  if (runsMachine) await warmCpu();
  const main = await load();
  // Such a process may end by a signal; what took long to compile is kept at once.
  if (eager) flushCompileCache();
  // A stopped or idle machine may have nothing open; the process still waits for a signal.
  setInterval(() => {}, 2 ** 31 - 1);
  // A reader of our output that has gone away is no reason to fail loudly.
  process.stdout.on('error', () => {});
  const code = await main(process.argv.slice(2));
  // Pipes are flushed asynchronously: wait for what was written before the process ends.
  await Promise.all(
    [process.stdout, process.stderr].map((stream) => new Promise((resolve) => stream.write('', resolve))),
  );
  process.exit(code);
}

/** Has the CPU's code compiled in the background while everything else is loaded. */
async function warmCpu(): Promise<void> {
  const { warmInterpreter } = await import('@sterna/cpu-x86/early');
  warmInterpreter();
}

/**
 * A guest that arrives runs at once, and each function that is compiled at its first call makes its pause longer: about
 * twenty milliseconds altogether. A process that waits for a guest has the time to compile everything before. It has a
 * cache of its own, since what the others keep is a part of it.
 */
function compileEagerly(): void {
  setFlagsFromString('--no-lazy');
  setFlagsFromString('--no-wasm-lazy-compilation');
  enableCompileCache(join(process.env['NODE_COMPILE_CACHE'] ?? join(tmpdir(), 'node-compile-cache'), 'eager'));
}
