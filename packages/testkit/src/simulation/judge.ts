/**
 * What must hold in every simulation, whatever breaks. The judge is told of
 * every change of a run state, a disk and a status, so it sees each moment, not
 * only those between two steps.
 */
import { isLive, SternaError } from '@sterna/core';
import type { SimMachine } from './machine.ts';
import type { SimLink } from './network.ts';

/** Transitions of the source (QEMU migration/migration.c), by the status announced before. */
const SOURCE_STEPS: Readonly<Record<string, readonly string[]>> = {
  none: ['setup'],
  setup: ['active', 'wait-unplug', 'failing', 'cancelling'],
  'wait-unplug': ['active', 'failing', 'cancelling'],
  active: ['pre-switchover', 'device', 'failing', 'cancelling'],
  'pre-switchover': ['device', 'failing', 'cancelling'],
  device: ['completed', 'failing', 'cancelling'],
  failing: ['failed'],
  cancelling: ['cancelled'],
  completed: ['setup'],
  failed: ['setup'],
  cancelled: ['setup'],
};
/** And of the destination. */
const DESTINATION_STEPS: Readonly<Record<string, readonly string[]>> = {
  none: ['setup'],
  setup: ['active', 'failing', 'failed'],
  active: ['completed', 'failing', 'failed'],
  failing: ['failed'],
  failed: ['setup'],
  completed: [],
};
/** Where nothing is under way. */
const SETTLED: ReadonlySet<string | undefined> = new Set([undefined, 'completed', 'failed', 'cancelled']);

/** Watches two machines. */
export class Judge {
  readonly source: SimMachine;
  readonly destination: SimMachine;
  /** What was broken, in the order in which it was noticed. */
  readonly violations: string[] = [];
  readonly #say: (text: string) => void;
  readonly #last = { source: 'none', destination: 'none' };
  /** The guest has arrived, and was compared. */
  #compared = false;
  readonly #oldState: boolean;

  /** @param oldState the stream has the run state's layout of QEMU 7.2 */
  constructor(source: SimMachine, destination: SimMachine, oldState: boolean, say: (text: string) => void) {
    this.source = source;
    this.destination = destination;
    this.#oldState = oldState;
    this.#say = say;
  }

  /** A change of a machine. */
  saw(machine: SimMachine, what: string): void {
    if (machine.dead) return;
    if (what.startsWith('status ')) this.#status(machine, what.slice('status '.length));
    this.#owners();
    if (machine === this.destination && machine.landed && !this.#compared) this.#arrived();
  }

  #violation(text: string): void {
    this.violations.push(text);
    this.#say(`VIOLATION: ${text}`);
  }

  #status({ side }: SimMachine, to: string): void {
    const from = this.#last[side];
    this.#last[side] = to;
    const steps = side === 'source' ? SOURCE_STEPS : DESTINATION_STEPS;
    if (!(steps[from] ?? []).includes(to)) this.#violation(`the ${side} goes from ${from} to ${to}`);
  }

  #owners(): void {
    const { source, destination } = this;
    if (source.live && destination.live) this.#violation('both machines run');
    for (const machine of [source, destination]) {
      if (machine.live && !machine.host.disksActive) this.#violation(`the ${machine.name} runs without its disks`);
    }
    if (source.dead || destination.dead) return;
    for (const [i, disk] of source.host.disks.entries()) {
      if (disk.active && destination.host.disks[i]!.active) this.#violation(`both machines have ${disk.name}`);
    }
  }

  /** The moment of the switchover: the guest is the same on both sides. */
  #arrived(): void {
    const { source, destination } = this;
    if (source.live) {
      this.#violation('the guest arrives while it runs at the source');
      return;
    }
    this.#compared = true;
    this.#arrivedState();
    const difference = source.host.differenceFrom(destination.host);
    if (difference !== undefined) this.#violation(`RAM differs: ${difference}`);
    for (const [i, device] of source.devices.devices.entries()) {
      const [here, there] = [device.fingerprint(), destination.devices.devices[i]!.fingerprint()];
      if (here !== there)
        this.#violation(`${device.name ?? device.constructor.name} differs: ${here} at the source, ${there} here`);
    }
  }

  /** One that ran or slept goes on doing so, if it may; others stay what they were. */
  #arrivedState(): void {
    const { source, destination } = this;
    const wanted = isLive(source.wanted) && !destination.controller.autostart ? 'paused' : source.wanted;
    const { runState } = destination.host;
    // The old layout cannot say that a stopped guest sleeps: it is simply asleep.
    if (runState === 'suspended' && source.wanted === 'paused' && source.host.wasSuspended && this.#oldState) return;
    // Disks that cannot be taken over hold the guest.
    if (runState !== wanted && !(runState === 'paused' && !destination.host.disksActive))
      this.#violation(`the guest was ${source.wanted}, and arrives ${runState}`);
  }

  /** Whether nothing is under way any more; a destination may go on waiting for somebody to connect. */
  get settled(): boolean {
    return (this.source.dead || settled(this.source)) && (this.destination.dead || this.#destinationSettled);
  }
  get #destinationSettled(): boolean {
    return settled(this.destination) || this.destination.status === 'setup';
  }

  /** The verdict when all has settled. @param link what the source has written last */
  verdict(link: SimLink | undefined): void {
    const { source, destination } = this;
    if (!this.settled) {
      const text = [source, destination].map(
        (machine) => `${machine.name} ${machine.status} ${machine.host.runState}${machine.dead ? ' dead' : ''}`,
      );
      this.#violation(`it never ends: ${text.join(', ')}`);
      return;
    }
    if (!source.dead) this.#source(link);
    if (!destination.dead && !destination.landed && destination.status === 'completed')
      this.#violation('the destination is completed and has no guest');
    this.#someOwner();
  }

  #source(link: SimLink | undefined): void {
    const { source, destination } = this;
    const { host, status } = source;
    if (status === 'completed') {
      if (host.runState !== 'postmigrate') this.#violation(`a completed source is ${host.runState}`);
      if (host.disks.some(({ active }) => active)) this.#violation('a completed source has a disk');
      return;
    }
    if (ownershipUnknown(source)) {
      if (source.live) this.#violation('the source runs though it does not know whether it may');
      if (host.disks.some(({ active }) => active)) this.#violation('a source that does not know its role has a disk');
      if (link === undefined || !endWasWritten(link))
        this.#violation('the source gives up the guest before the point of no return');
      return;
    }
    if (destination.landed) this.#violation(`the guest has arrived, and the source is ${status} and ${host.runState}`);
    const activationFailed = host.reports.some((text) => text.includes('fails on purpose')) && !host.disksActive;
    if (host.runState !== source.wanted && !(activationFailed && host.runState === 'paused'))
      this.#violation(`the source is ${host.runState} after a migration that is ${status}, not ${source.wanted}`);
    if (!host.disksActive && !activationFailed) this.#violation('the source has not got its disks back');
    const error = source.controller.query()['error-desc'];
    if (status === 'failed' && (error === undefined || error === '')) this.#violation('nobody says why it failed');
  }

  /** Never none without a clear error. */
  #someOwner(): void {
    const { source, destination } = this;
    const sourceOwns = !source.dead && source.status !== 'completed' && !ownershipUnknown(source);
    if (sourceOwns || destination.landed || destination.dead || source.dead) return;
    const errors = [...source.outgoing, ...destination.incoming].flatMap(({ error }) =>
      error === undefined ? [] : [error],
    );
    if (!errors.some((error) => error instanceof SternaError && error.code !== 'STERNA_ERR_INTERNAL'))
      this.#violation(`nobody owns the guest and nobody says why: ${errors.join('; ')}`);
  }

  /** Nothing may be left behind. @param listeners counts what listens to a signal, where that can be known */
  leftovers(
    channels: readonly { name: string; freed: boolean; lane: { frozen: boolean } }[],
    listeners: (signal: AbortSignal) => number,
  ): void {
    for (const machine of [this.source, this.destination]) {
      if (machine.dead) continue;
      if (machine.lane.pending > 0) this.#violation(`the ${machine.name} has left ${machine.lane.pending} timers`);
      const notices = machine.host.notices.join(' ');
      if (!/^(setup (done|failed) ?)*$/.test(notices)) this.#violation(`the ${machine.name} tells ${notices}`);
      if (machine.devices.open > 0) this.#violation(`devices of the ${machine.name} were not cleaned up`);
      for (const attempt of [...machine.outgoing, ...(machine.status === 'setup' ? [] : machine.incoming)])
        if (attempt.outcome === 'open') this.#violation(`a promise of the ${machine.name} never settles`);
      for (const signal of machine.signals) {
        const count = listeners(signal);
        if (count > 0) this.#violation(`the ${machine.name} has left ${count} listeners`);
      }
    }
    // One that waits for more channels of a source keeps those that it has.
    for (const { name, freed, lane } of channels)
      if (!freed && !lane.frozen && !(lane === this.destination.lane && this.destination.status === 'setup'))
        this.#violation(`channel ${name} is still open`);
  }
}

function settled(machine: SimMachine): boolean {
  return (
    SETTLED.has(machine.status) && [...machine.outgoing, ...machine.incoming].every(({ outcome }) => outcome !== 'open')
  );
}

/** Whether the last migration away ended so that the destination may have the guest; later attempts are refused then. */
export function ownershipUnknown(machine: SimMachine): boolean {
  if (machine.status !== 'failed') return false;
  return machine.outgoing.some(
    ({ error }) => error instanceof SternaError && error.code === 'STERNA_ERR_OWNERSHIP_UNKNOWN',
  );
}

const GLOBAL_STATE = [...'globalstate'].map((letter) => letter.charCodeAt(0));
/** From the name to the end mark: name, instance, version, 104 bytes, footer. */
const TO_END = GLOBAL_STATE.length + 8 + 104 + 5;

/** Whether the end mark of the stream has left the source: the last section is the run state, the mark follows it. */
function endWasWritten(link: SimLink): boolean {
  let total = 0;
  for (const part of link.written) total += part.length;
  // The name is searched from the end; it is close to it.
  const bytes = new Uint8Array(total);
  let at = 0;
  for (const part of link.written) {
    bytes.set(part, at);
    at += part.length;
  }
  for (
    let from = bytes.lastIndexOf(GLOBAL_STATE[0]!);
    from >= 0;
    from = from === 0 ? -1 : bytes.lastIndexOf(GLOBAL_STATE[0]!, from - 1)
  ) {
    if (GLOBAL_STATE.every((letter, i) => bytes[from + i] === letter) && bytes[from - 1] === GLOBAL_STATE.length)
      return total > from + TO_END;
  }
  return false;
}
