import fc from 'fast-check';
import { expect, test } from 'vitest';
import { commands } from './commands.ts';
import { newModel } from './model.ts';
import { Real } from './real.ts';

/** The mutation score has patience for a few, `npm run test:long` for many. */
const RUNS = process.env['STERNA_MUTATION'] ? 60 : process.env['STERNA_LONG'] ? 20_000 : 500;

test('both state machines do what the model says, whatever is typed', { timeout: 600_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.commands(commands, { maxCommands: 40, size: 'max' }), (list) =>
      fc.asyncModelRun(() => ({ model: newModel(), real: new Real() }), list),
    ),
    { numRuns: RUNS },
  );
});

test('the model is not trivial: a migration reaches its end in it and in reality', async () => {
  const [model, real] = [newModel(), new Real()];
  real.destination.receive('tcp:model:1');
  real.source.migrate('tcp:model:1');
  await real.advance();
  expect([model.source.status, real.source.status, real.destination.status]).toEqual([
    undefined,
    'completed',
    'completed',
  ]);
});
