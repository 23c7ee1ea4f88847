import { DeviceHarness } from '../../harness/device-harness.ts';
import { HostAccessError } from '../../harness/host-guard.ts';
import { changedFields, describeChanges } from '../../snapshot/fields.ts';
import { behaviourDifference } from '../compare.ts';
import { OperationError, perform } from '../operations.ts';
import { ConformanceError, type Operation, type Subject } from '../options.ts';

/** The guest can do what it wants, and the device answers. */
export async function survivesGuest({ type, options, operations }: Subject): Promise<void> {
  await using harness = new DeviceHarness(type, options);
  try {
    await perform(harness, operations);
  } catch (error) {
    if (!(error instanceof OperationError)) throw error;
    if (error.cause instanceof HostAccessError) throw new ConformanceError(error.cause.message);
    throw new ConformanceError(
      `the device throws at the guest in ${error.message}. Hardware answers something; report guest errors to Logger.guestError`,
      { cause: error },
    );
  }
  if (harness.machine.runState === 'internal-error')
    throw new ConformanceError('the machine ended with an internal error while the device was used');
}

/** The same operations end the same. */
export async function isDeterministic({ type, options, operations }: Subject): Promise<void> {
  await using first = new DeviceHarness(type, options);
  await using second = new DeviceHarness(type, options);
  const difference = behaviourDifference(
    operations,
    await perform(first, operations),
    await perform(second, operations),
  );
  if (difference !== undefined)
    throw new ConformanceError(
      `two devices that were used alike behave differently: ${difference}. Something is shared between them (a module's variable?) or comes from the host`,
    );
}

/** Nothing of an unrealized device is left in the machine. */
export async function leavesNothing({ type, options, operations }: Subject): Promise<void> {
  await using harness = new DeviceHarness(type, options);
  await perform(harness, operations);
  const { machine } = harness;
  harness.unplug();
  const left: string[] = [];
  for (const { name } of harness.timers) left.push(`timer '${name}'`);
  for (const { region } of [...machine.physical.flat, ...machine.ports.flat])
    if (region.name.startsWith('dut.')) left.push(`region '${region.name}'`);
  for (const mode of ['normal', 'cpr-reboot'] as const)
    for (const reason of machine.blockers.reasons(mode)) left.push(`migration blocker '${reason}'`);
  if (harness.code.watchers > 0) left.push("a count or trace of the guest's code");
  if (left.length > 0)
    throw new ConformanceError(`unrealize leaves ${left.join(', ')}; get it by a service, or undo it in unrealize`);
  for (const operation of [...operations, ...AFTERWARDS]) {
    const fields = harness.fields();
    const edges = harness.irqs.edges.length;
    harness.output();
    await operation.run(harness);
    const changed = changedFields(fields, harness.fields());
    const acts =
      changed.length > 0
        ? `its field ${describeChanges(changed.slice(0, 1), 'then')} changes`
        : harness.irqs.edges.length > edges
          ? 'it drives an interrupt line'
          : harness.output() !== ''
            ? 'it writes to its character backend'
            : undefined;
    if (acts !== undefined)
      throw new ConformanceError(
        `the device still acts after unrealize: in '${operation.name}' ${acts}. A tap or listener was left behind; add what is not the framework's in realize and take it away in unrealize`,
      );
  }
}

/** What may wake a listener that was left behind. */
const AFTERWARDS: readonly Operation[] = [
  { name: 'the machine stops', run: (h) => h.stop() },
  { name: 'the machine goes on', run: (h) => h.start() },
  { name: '2 s pass', run: (h) => h.advance(2_000_000_000) },
  { name: 'input comes', run: (h) => h.type('x') },
  { name: 'the machine is reset', run: (h) => h.reset() },
  {
    name: 'a migration begins',
    run: ({ machine }) => machine.notifiers.notify({ type: 'setup', mode: 'normal' }, () => {}),
  },
  { name: 'the power button is pressed', run: ({ machine }) => machine.powerDown() },
];
