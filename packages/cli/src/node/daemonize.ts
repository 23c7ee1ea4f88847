import { spawn } from 'node:child_process';

const CHILD_MARK = 'STERNA_DAEMON_CHILD';

/** Whether this process is the one that stays in the background. */
export function isDaemonChild(): boolean {
  return process.env[CHILD_MARK] === '1';
}

/**
 * Starts this command again in the background and waits until it says that it is set up. A JavaScript process cannot
 * fork, so the arguments are read twice; descriptors named in them are handed on under their numbers.
 *
 * @returns The exit code for this process.
 */
export function runInBackground(args: readonly string[]): Promise<number> {
  const inherited = [...args.join('\n').matchAll(/(?:\bfd[=:]|\/dev\/fd\/)(\d+)/g)]
    .map((match) => Number(match[1]))
    .filter((fd) => fd > 2);
  const last = Math.max(2, ...inherited);
  const stdio: ('ignore' | 'pipe' | 'ipc' | number)[] = ['ignore', 'ignore', 'pipe'];
  for (let fd = 3; fd <= last; fd++) stdio.push(inherited.includes(fd) ? fd : 'ignore');
  stdio.push('ipc');
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!, ...args], {
    detached: true,
    stdio,
    env: { ...process.env, [CHILD_MARK]: '1' },
  });
  child.stderr?.pipe(process.stderr);
  return new Promise((resolve) => {
    child.once('message', () => resolve(0));
    child.once('error', (error) => {
      process.stderr.write(`sterna: cannot go to the background: ${error.message}\n`);
      resolve(1);
    });
    child.once('exit', (code) => resolve(code ?? 1));
  });
}

/** The background process is set up: lets the one in front end, and the terminal go. */
export function leaveForeground(): void {
  process.chdir('/');
  // Nobody reads stderr from here on.
  process.stderr.on('error', () => {});
  process.send?.('ready', () => process.disconnect?.());
}
