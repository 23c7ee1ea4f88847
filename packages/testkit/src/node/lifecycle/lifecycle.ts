import { Patience } from '../patience.ts';
import { VmProcess } from '../vm-process.ts';
import { channelUris, type LifecycleChannel } from './channel.ts';
import type { LifecycleGuest, LifecycleMachine, LifecycleProgram } from './machine.ts';
import { type MigrationOutcome, migrate } from './migrate.ts';

/**
 * A step of a life: the name of a program migrates the guest there (the first step boots it), `reset` presses the reset
 * button, `pause` stops and continues it, `restore` saves it to a file, ends its process and goes on from the file in a new one.
 */
export type LifecycleStep = 'reset' | 'pause' | 'restore' | (string & {});

/** Options of {@link lifecycle}. */
export interface LifecycleOptions {
  /** How streams go from process to process; `unix` by default. */
  readonly channel?: LifecycleChannel;
  /** Migration capabilities that both sides switch on. */
  readonly capabilities?: readonly string[];
  /** Migration parameters of both sides. */
  readonly parameters?: Readonly<Record<string, unknown>>;
  /** How long one migration may take, in ms. */
  readonly limitMs?: number;
  /** More to prepare on both sides, after capabilities and parameters. */
  prepare?(vm: VmProcess, role: 'source' | 'destination', program: string): Promise<void>;
  /** Called after the last step's check: the guest may be ended here. */
  finish?(guest: LifecycleGuest): Promise<void>;
}

/** A step that was taken. */
export interface LifecycleHop {
  readonly step: LifecycleStep;
  /** Programs before and after it. */
  readonly from: string;
  readonly to: string;
  /** Of a step that migrates. */
  readonly outcome?: MigrationOutcome;
}

/** A life that went well. */
export interface LifecycleReport {
  /** Every step but the boot. */
  readonly hops: readonly LifecycleHop[];
  /** All that the guest has written. */
  readonly serial: string;
}

/** A step failed, or the guest did not pass the check after it. */
export class LifecycleError extends Error {
  /** Index of the step. */
  readonly index: number;
  /** Steps before it. */
  readonly hops: readonly LifecycleHop[];
  /** All that the guest has written until then. */
  readonly serial: string;

  constructor(index: number, message: string, { hops, serial }: LifecycleReport, cause: unknown) {
    super(message, { cause });
    this.name = 'LifecycleError';
    this.index = index;
    this.hops = hops;
    this.serial = serial;
  }
}

/**
 * Takes a guest through the steps of a life, in one process or many, and checks it after each.
 *
 * @param check - Throws when something is wrong with the guest.
 * @throws LifecycleError naming the step.
 */
export async function lifecycle(
  machine: LifecycleMachine,
  steps: readonly LifecycleStep[],
  check: (guest: LifecycleGuest) => Promise<void>,
  options: LifecycleOptions = {},
): Promise<LifecycleReport> {
  const life = new Life(machine, options);
  const hops: LifecycleHop[] = [];
  try {
    for (const [index, step] of steps.entries()) {
      try {
        const hop = await life.take(step);
        if (hop !== undefined) hops.push(hop);
        await check(life);
        await life.settle();
        if (index === steps.length - 1) await options.finish?.(life);
      } catch (error) {
        const told = error instanceof Error ? error.message : String(error);
        const way = index === 0 ? 'boot' : `${life.before} -> ${step}`;
        throw new LifecycleError(
          index,
          `step ${index} (${way}): ${told}\n${life.errors}`,
          { hops, serial: life.serial },
          error,
        );
      }
    }
    return { hops, serial: life.serial };
  } finally {
    await life.end();
  }
}

/** The guest and all processes it has lived in. */
class Life implements LifecycleGuest {
  /** Program before the last step. */
  before = '';
  program = '';
  step = '';
  readonly #machine: LifecycleMachine;
  readonly #options: LifecycleOptions;
  readonly #vms: VmProcess[] = [];
  /** Length of the current process' text when the step was taken. */
  #mark = 0;

  constructor(machine: LifecycleMachine, options: LifecycleOptions) {
    this.#machine = machine;
    this.#options = options;
  }

  get vm(): VmProcess {
    return this.#vms.at(-1)!;
  }

  get serial(): string {
    return this.#vms.map(({ serial }) => serial).join('');
  }

  get recent(): string {
    return this.vm.serial.slice(this.#mark);
  }

  /** What the processes have complained of. */
  get errors(): string {
    return this.#vms
      .slice(-2)
      .map(({ name, errors }) => (errors === '' ? '' : `${name}: ${errors.slice(-1000)}`))
      .join('\n');
  }

  type(text: string): void {
    this.vm.type(text);
  }

  async says(text: string | RegExp, limitMs?: number): Promise<void> {
    const holds = (): boolean => (typeof text === 'string' ? this.recent.includes(text) : text.test(this.recent));
    await this.vm.until(String(text), holds, limitMs);
  }

  async take(step: LifecycleStep): Promise<LifecycleHop | undefined> {
    this.step = step;
    this.before = this.program;
    if (this.#vms.length === 0) {
      this.#vms.push(await this.#start(step, []));
      this.program = step;
      return undefined;
    }
    const { program: from } = this;
    switch (step) {
      case 'reset':
        this.#mark = this.vm.serial.length;
        await this.vm.qmp.executeAny('system_reset');
        return { step, from, to: from };
      case 'pause':
        await this.vm.qmp.executeAny('stop');
        this.#mark = this.vm.serial.length;
        await this.vm.qmp.executeAny('cont');
        return { step, from, to: from };
      case 'restore':
        return { step, from, to: from, outcome: await this.#move(from, true) };
      default:
        return { step, from, to: step, outcome: await this.#move(step, false) };
    }
  }

  async #start(name: string, more: readonly string[]): Promise<VmProcess> {
    const { command, args = [] } = this.#program(name);
    return await VmProcess.start(command, [...this.#machine.args, ...args, ...more], name);
  }

  #program(name: string): LifecycleProgram {
    const program = this.#machine.programs[name];
    if (program === undefined) throw new Error(`there is no program or step '${name}'`);
    return program;
  }

  async #move(to: string, viaFile: boolean): Promise<MigrationOutcome> {
    const source = this.vm;
    const from = this.program;
    const destination = await this.#start(to, ['-incoming', 'defer']);
    this.#vms.push(destination);
    this.#mark = 0;
    this.program = to;
    const { channel = 'unix', limitMs = 120_000 } = this.#options;
    await this.#prepare(source, 'source', from);
    await this.#prepare(destination, 'destination', to);
    const uris = channelUris(viaFile ? 'file' : channel, destination.directory, this.#program(from), this.#program(to));
    if (viaFile) await source.qmp.executeAny('stop');
    const outcome = await migrate(source, destination, uris, limitMs);
    if (outcome.status !== 'completed')
      throw new Error(`the migration ended as ${outcome.status}: ${outcome.errorDesc ?? 'no reason given'}`);
    if (viaFile) {
      await loaded(destination, limitMs);
      await destination.qmp.executeAny('cont');
    }
    return outcome;
  }

  async #prepare(vm: VmProcess, role: 'source' | 'destination', program: string): Promise<void> {
    const { capabilities = [], parameters } = this.#options;
    if (capabilities.length > 0)
      await vm.qmp.executeAny('migrate-set-capabilities', {
        capabilities: capabilities.map((capability) => ({ capability, state: true })),
      });
    if (parameters !== undefined) await vm.qmp.executeAny('migrate-set-parameters', parameters);
    await this.#options.prepare?.(vm, role, program);
  }

  /** Ends the process before the current one: what it has still to say has arrived by now. */
  async settle(): Promise<void> {
    await this.#vms.at(-2)?.[Symbol.asyncDispose]();
  }

  async end(): Promise<void> {
    for (const vm of this.#vms) await vm[Symbol.asyncDispose]();
  }
}

/** Resolves when an incoming guest that was stopped at its source has been loaded. */
async function loaded(vm: VmProcess, limitMs: number): Promise<void> {
  const patience = new Patience(limitMs);
  for (;;) {
    const { status } = (await vm.qmp.executeAny('query-status')) as { readonly status: string };
    if (status !== 'inmigrate') return;
    if (patience.over) throw new Error('the guest was not loaded in time');
    await patience.pause(20);
  }
}
