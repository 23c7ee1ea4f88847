/** Calls `quit`, which ends cleanly, on SIGTERM, SIGINT and SIGHUP; a second signal ends the process at once. */
export function endOnSignals(program: string, quit: () => void): void {
  let asked = false;
  for (const [signal, number] of [
    ['SIGTERM', 15],
    ['SIGINT', 2],
    ['SIGHUP', 1],
  ] as const) {
    process.on(signal, () => {
      if (asked) process.exit(128 + number);
      asked = true;
      process.stderr.write(`${program}: terminating on ${signal}\n`);
      quit();
    });
  }
}
