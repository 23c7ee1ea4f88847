import { SternaError } from '@sterna/core';
import { QmpError } from '@sterna/qmp';

/** Prints an error the way a command line does, and answers the exit code it asks for. */
export function reportError(program: string, error: unknown): number {
  if (error instanceof SternaError || error instanceof QmpError) {
    process.stderr.write(`${program}: ${error.message}\n`);
    if (process.env['STERNA_TRACE'] === '1') process.stderr.write(`${error.stack}\n`);
    return error instanceof SternaError ? error.exitCode : 1;
  }
  // Nobody threw this on purpose: the stack is what helps.
  process.stderr.write(`${program}: internal error: ${error instanceof Error ? error.stack : String(error)}\n`);
  return 1;
}
