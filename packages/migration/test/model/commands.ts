/** Commands of both control planes, done to the model and to the machines, which are compared after each. */
import fc from 'fast-check';
import { expect } from 'vitest';
import { advance, breakConnection, cancel, type Model, migrate, migrateRefused, outgoing } from './model.ts';
import type { Real } from './real.ts';

type Command = fc.AsyncCommand<Model, Real>;

const URI = 'tcp:model:1';

/** Makes a command out of what it does to both. */
function command(text: string, run: (model: Model, real: Real) => void | Promise<void>): Command {
  return {
    check: () => true,
    async run(model, real) {
      await run(model, real);
      compare(model, real);
    },
    toString: () => text,
  };
}

/** Both sides look as the model says. */
function compare(model: Model, real: Real): void {
  expect({ status: real.source.status, run: real.source.host.runState }).toEqual({
    status: model.source.status,
    run: model.source.run,
  });
  expect({ status: real.destination.status, run: real.destination.host.runState }).toEqual({
    status: model.destination.status,
    run: model.destination.run,
  });
  const info = real.source.controller.query();
  expect(info.status).toBe(model.source.status);
  expect(info['error-desc'] !== undefined).toBe(model.failed);
  expect(info['blocked-reasons']).toEqual(model.blocked ? ['a test holds it'] : undefined);
  // Which members query-migrate has hangs on the status alone.
  const figures = ['active', 'pre-switchover', 'device', 'cancelling', 'completed'].includes(info.status ?? '');
  if (model.source.status !== 'cancelling') {
    expect(info.ram !== undefined).toBe(figures);
    expect(info['total-time'] !== undefined).toBe(figures);
    expect(info.downtime !== undefined).toBe(info.status === 'completed');
  }
  expect(real.destination.controller.query().status).toBe(model.destination.status);
  for (const [machine, side] of [
    [real.source, model.source],
    [real.destination, model.destination],
  ] as const) {
    const on = machine.controller.capabilities.list().filter(({ state }) => state);
    expect(on.map(({ capability }) => capability).sort()).toEqual([...side.on].sort());
  }
  // Exactly one machine has the guest, and with it the disks.
  const moved = model.source.status === 'completed';
  expect(real.source.host.disksActive).toBe(!moved);
  if (model.destination.run === 'running') expect(real.destination.host.disksActive).toBe(true);
}

/** The code with which something is refused, or undefined when it is not. */
function codeOf(run: () => void): string | undefined {
  try {
    run();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return undefined;
}

/** A migration is started; its promise may reject much later. */
async function started(list: readonly { error: Error | undefined }[], real: Real): Promise<string | undefined> {
  await real.settle();
  return (list.at(-1)!.error as { code?: string } | undefined)?.code;
}

const migrateCommand = command('migrate', async (model, real) => {
  const refused = migrateRefused(model);
  expect(codeOf(() => real.source.controller.checkMigrate())).toBe(refused);
  real.source.migrate(URI);
  const code = await started(real.source.outgoing, real);
  if (refused !== undefined) expect(code).toBe(refused);
  else migrate(model);
});

const incomingCommand = command('migrate-incoming', async (model, real) => {
  const { destination } = model;
  const refused =
    destination.run !== 'inmigrate' || destination.status === 'setup' || destination.status === 'active'
      ? 'STERNA_ERR_MIGRATION_STATE'
      : undefined;
  real.destination.receive(URI);
  const code = await started(real.destination.incoming, real);
  if (refused === undefined) destination.status = 'setup';
  expect(code).toBe(refused);
});

const cancelCommand = command('migrate_cancel', async (model, real) => {
  real.source.controller.cancel();
  cancel(model);
  // Nothing is in the way of the news, so it is the end at once.
  await real.advance();
  advance(model);
});

function continueCommand(state: string): Command {
  return command(`migrate-continue ${state}`, async (model, real) => {
    const allowed = state === model.source.status;
    const code = codeOf(() => real.source.controller.continue(state));
    expect(code).toBe(allowed ? undefined : 'STERNA_ERR_MIGRATION_STATE');
    // In other states nothing waits, and nothing will.
    if (!allowed || state !== 'pre-switchover') return;
    model.continued = true;
    // What follows needs no time, so it cannot be put off.
    await real.advance();
    advance(model);
  });
}

function capabilityCommand(at: 'source' | 'destination', capability: string, state: boolean): Command {
  return command(`${at}: ${capability}=${state}`, (model, real) => {
    const busy = at === 'source' ? outgoing(model) : model.destination.status === 'active';
    const { on } = model[at];
    const next = new Set(on);
    if (state) next.add(capability);
    else next.delete(capability);
    const contradicts = next.has('switchover-ack') && !next.has('return-path');
    const code = codeOf(() => real[at].controller.setCapabilities([{ capability, state }]));
    expect(code).toBe(busy ? 'STERNA_ERR_MIGRATION_STATE' : contradicts ? 'STERNA_ERR_CAPABILITY' : undefined);
    if (code !== undefined) return;
    on.clear();
    for (const name of next) on.add(name);
  });
}

function parameterCommand(value: number): Command {
  return command(`max-bandwidth=${value}`, (_, real) => {
    const before = real.source.controller.parameters;
    const code = codeOf(() => real.source.controller.setParameters({ 'max-bandwidth': value }));
    expect(code).toBe(value < 0 ? 'STERNA_ERR_CAPABILITY' : undefined);
    const expected = value < 0 ? before['max-bandwidth'] : value;
    expect(real.source.controller.parameters['max-bandwidth']).toBe(expected);
  });
}

const stopSource = command('source: stop', (model, real) => {
  real.source.stop();
  if (model.source.run !== 'running') return;
  model.source.run = 'paused';
  model.wanted = 'paused';
});

const contSource = command('source: cont', async (model, real) => {
  await real.source.cont();
  if (model.source.run !== 'paused') return;
  model.source.run = 'running';
  model.wanted = 'running';
});

const powerOff = command('the guest powers off', (model, real) => {
  real.source.enter('shutdown');
  if (model.source.run !== 'running') return;
  model.source.run = 'shutdown';
  model.wanted = 'shutdown';
});

function autostartCommand(on: boolean): Command {
  return command(`destination: ${on ? 'cont' : 'stop'} while it waits`, async (model, real) => {
    if (model.destination.run !== 'inmigrate') return;
    if (on) await real.destination.cont();
    else real.destination.stop();
    model.autostart = on;
  });
}

function dirtyCommand(on: boolean): Command {
  return command(`the guest ${on ? 'begins' : 'ceases'} to write`, (model, real) => {
    model.dirty = on;
    real.dirty = on;
  });
}

function blockCommand(on: boolean): Command {
  return command(`a blocker is ${on ? 'added' : 'removed'}`, (model, real) => {
    model.blocked = on;
    real.source.host.blockers = on ? ['a test holds it'] : [];
  });
}

const flushFails = command('the next flush fails', (model, real) => {
  if (real.flushFails) return;
  model.flushFails = true;
  real.flushFails = true;
});

const breakCommand = command('the connection breaks', async (model, real) => {
  real.breakConnection();
  breakConnection(model);
  await real.advance();
  advance(model);
});

const advanceCommand = command('time passes', async (model, real) => {
  await real.advance();
  advance(model);
});

/** Every command, the more important ones more often. */
export const commands: fc.Arbitrary<Command>[] = [
  ...Array.from({ length: 4 }, () => fc.constant(advanceCommand)),
  fc.constant(migrateCommand),
  fc.constant(migrateCommand),
  fc.constant(incomingCommand),
  fc.constant(incomingCommand),
  fc.constant(cancelCommand),
  fc.constant(breakCommand),
  fc.constant(flushFails),
  fc.constant(stopSource),
  fc.constant(contSource),
  fc.constant(powerOff),
  fc.boolean().map(autostartCommand),
  fc.boolean().map(dirtyCommand),
  fc.boolean().map(blockCommand),
  fc.constantFrom('pre-switchover', 'pre-switchover', 'pre-switchover', 'active', 'device').map(continueCommand),
  fc
    .tuple(
      fc.constantFrom('source' as const, 'source' as const, 'destination' as const),
      fc.constantFrom('return-path', 'switchover-ack', 'pause-before-switchover', 'validate-uuid'),
      fc.boolean(),
    )
    .map(([at, name, state]) => capabilityCommand(at, name, state)),
  fc.constantFrom(-1, 0, 2 ** 20, 2 ** 27).map(parameterCommand),
];
