import { enableCompileCache } from 'node:module';

/**
 * Runs a program's main function with the command line's arguments and ends the process with its answer. What Node
 * compiles is kept for the next start; that halves the time until the guest runs.
 */
export async function enterProgram(load: () => Promise<(args: readonly string[]) => Promise<number>>): Promise<void> {
  enableCompileCache();
  const main = await load();
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
