import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type PatternOptions, patternGuestFile } from '@sterna/guests/node';
import { expect } from 'vitest';
import { Patience, type ProgramName, Vm } from '../../support/vm.ts';

const MIB = 2 ** 20;
const PAGE = 4096;
/** The region of QEMU's guest, in MiB. */
const REGION = { firstMiB: 1, lastMiB: 100 };
const RAM_MIB = 128;

/** QEMU's parameters for a migration that never ends, and for one that ends soon (migration-qmp.c). */
export const NEVER = { 'max-bandwidth': 3_000_000, 'downtime-limit': 1 } as const;
export const SOON = { 'max-bandwidth': 1_000_000_000, 'downtime-limit': 30_000 } as const;

/** What `query-migrate` answers, as far as tests look. */
export interface Info {
  readonly status?: string;
  readonly 'error-desc'?: string;
  readonly 'cpu-throttle-percentage'?: number;
  readonly 'total-time'?: number;
  readonly downtime?: number;
  readonly ram?: { readonly transferred: number; readonly 'dirty-sync-count': number; readonly remaining: number };
  readonly 'socket-address'?: readonly unknown[];
}

/** What a pair of machines is made of. */
export interface PairOptions {
  readonly from?: ProgramName;
  readonly to?: ProgramName;
  /** Arguments of both. */
  readonly args?: readonly string[];
  readonly sourceArgs?: readonly string[];
  readonly destinationArgs?: readonly string[];
  readonly machine?: string;
  /** The source's, when it is another. */
  readonly sourceMachine?: string;
  readonly guest?: PatternOptions;
  /** Capabilities of both. */
  readonly capabilities?: readonly string[];
  /** `-incoming`; `defer` by default. */
  readonly incoming?: string;
}

/** A machine with the guest of QEMU's migration tests, and what they do with it. */
export class PatternVm {
  readonly vm: Vm;
  readonly #region: { readonly firstMiB: number; readonly lastMiB: number };

  private constructor(vm: Vm, region: { readonly firstMiB: number; readonly lastMiB: number }) {
    this.vm = vm;
    this.#region = region;
  }

  static async start(
    program: ProgramName,
    args: readonly string[],
    { machine = 'microvm,acpi=off', guest = {} }: Pick<PairOptions, 'machine' | 'guest'>,
  ): Promise<PatternVm> {
    const vm = await Vm.start(program, [
      ...['-M', machine, '-cpu', 'qemu64', '-m', String(RAM_MIB)],
      ...['-bios', patternGuestFile({ ...REGION, ...guest })],
      ...args,
    ]);
    const made = new PatternVm(vm, { ...REGION, ...guest });
    await made.capability('events');
    return made;
  }

  /** Runs a QMP command. */
  qmp(command: string, args?: object): Promise<unknown> {
    return this.vm.qmp.executeAny(command, args as never);
  }
  async info(): Promise<Info> {
    return (await this.qmp('query-migrate')) as Info;
  }
  async runState(): Promise<string> {
    return ((await this.qmp('query-status')) as { status: string }).status;
  }
  async capability(...names: readonly string[]): Promise<void> {
    if (names.length === 0) return;
    const capabilities = names.map((capability) => ({ capability, state: true }));
    await this.qmp('migrate-set-capabilities', { capabilities });
  }
  async parameters(values: object): Promise<void> {
    await this.qmp('migrate-set-parameters', values);
  }

  /** Waits until `query-migrate` has one of the statuses; fails at once when it has ended in another. */
  async status(...wanted: readonly string[]): Promise<Info> {
    const patience = new Patience(60_000);
    for (;;) {
      const info = await this.info();
      if (info.status !== undefined && wanted.includes(info.status)) return info;
      const over = ['completed', 'failed', 'cancelled'].includes(info.status ?? '');
      if (over || patience.over) throw new Error(`waited for ${wanted}: ${JSON.stringify(info)}`);
      await patience.pause(5);
    }
  }

  /** Waits until the condition holds for `query-migrate`. */
  async until(what: string, condition: (info: Info) => boolean): Promise<Info> {
    const patience = new Patience(60_000);
    for (;;) {
      const info = await this.info();
      if (condition(info)) return info;
      if (patience.over) throw new Error(`waited for ${what}: ${JSON.stringify(info)}`);
      await patience.pause(5);
    }
  }

  /** Waits for an event. */
  async event(name: string): Promise<void> {
    await this.vm.until(name, ({ events }) => events.some(({ event }) => event === name));
  }
  /** Statuses of its MIGRATION events, in order. */
  get statuses(): string[] {
    return this.vm.events.flatMap(({ event, data }) => (event === 'MIGRATION' ? [String(data?.['status'])] : []));
  }

  /** Lets the guest of a source run for the first time, now that somebody listens to it, until its memory changes. */
  async boot(): Promise<void> {
    await this.qmp('cont');
    await this.vm.says(/AB/);
  }

  /** Waits until the guest has said B once more. */
  async saysB(): Promise<void> {
    const before = count(this.vm.serial, 'B');
    await this.vm.until('a further B', ({ serial }) => count(serial, 'B') > before);
  }

  /** Stops the guest and checks every page of its region. */
  async checkMemory(): Promise<void> {
    await this.qmp('stop');
    const { firstMiB, lastMiB } = this.#region;
    const filename = join(this.vm.directory, 'memory');
    await this.qmp('pmemsave', { val: firstMiB * MIB, size: (lastMiB - firstMiB) * MIB, filename });
    const memory = readFileSync(filename);
    rmSync(filename);
    expect(memory).toHaveLength((lastMiB - firstMiB) * MIB);
    checkPattern(memory, firstMiB * MIB);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.vm[Symbol.asyncDispose]();
  }
}

/** Two machines, one of which waits for the other's guest. */
export class PatternPair {
  readonly source: PatternVm;
  readonly destination: PatternVm;

  private constructor(source: PatternVm, destination: PatternVm) {
    this.source = source;
    this.destination = destination;
  }

  static async start(options: PairOptions = {}): Promise<PatternPair> {
    const { from = 'sterna', to = 'sterna', args = [], capabilities = [] } = options;
    const [source, destination] = await Promise.all([
      PatternVm.start(from, [...args, ...(options.sourceArgs ?? []), '-S'], {
        ...options,
        ...(options.sourceMachine === undefined ? {} : { machine: options.sourceMachine }),
      }),
      PatternVm.start(
        to,
        [...args, ...(options.destinationArgs ?? []), '-incoming', options.incoming ?? 'defer'],
        options,
      ),
    ]);
    for (const side of [source, destination]) await side.capability(...capabilities);
    return new PatternPair(source, destination);
  }

  /** The same source with another destination, which the caller ends. */
  withDestination(destination: PatternVm): PatternPair {
    return new PatternPair(this.source, destination);
  }

  /** A path for a socket or file of this pair. */
  path(name: string): string {
    return join(this.destination.vm.directory, name);
  }

  /** Where the destination listens after `migrate-incoming tcp:127.0.0.1:0`. */
  async tcpUri(): Promise<string> {
    const { 'socket-address': [address] = [] } = await this.destination.info();
    if (typeof address === 'string') return address;
    return `tcp:127.0.0.1:${(address as { port: string }).port}`;
  }

  /** The destination listens and the source begins; both as URIs, or as arguments of the two commands. */
  async begin(incoming: string | object, outgoing: string | object = incoming): Promise<void> {
    const args = (where: string | object) => (typeof where === 'string' ? { uri: where } : where);
    await this.destination.qmp('migrate-incoming', args(incoming));
    await this.source.qmp('migrate', args(outgoing));
  }

  /** While the migration cannot end: the guest runs here, not there, and its memory is on the way. */
  async checkUnderWay(): Promise<void> {
    const { source, destination } = this;
    await source.until('memory on its way', ({ ram }) => (ram?.transferred ?? 0) > 100_000);
    await source.saysB();
    expect([await source.runState(), await destination.runState()]).toEqual(['running', 'inmigrate']);
    expect((await source.status('active')).status).toBe('active');
    expect([source, destination].flatMap(({ vm }) => vm.events.map(({ event }) => event))).not.toContain('STOP');
  }

  /** The end of every successful test: who runs, in which order they changed, and the destination's memory. */
  async finish(): Promise<void> {
    const { source, destination } = this;
    await source.status('completed');
    await source.event('STOP');
    await destination.event('RESUME');
    expect(await source.runState()).toBe('postmigrate');
    await destination.status('completed');
    const [stopped, resumed] = [timeOf(source.vm, 'STOP'), timeOf(destination.vm, 'RESUME')];
    expect(stopped).toBeLessThan(resumed);
    await destination.saysB();
    await destination.checkMemory();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.source[Symbol.asyncDispose](), this.destination[Symbol.asyncDispose]()]);
  }
}

function count(text: string, letter: string): number {
  return text.split(letter).length - 1;
}

/** Microseconds since 1970 of the last event of that name. */
function timeOf(vm: Vm, name: string): number {
  const { timestamp } = vm.events.findLast(({ event }) => event === name)!;
  return timestamp.seconds * 1e6 + timestamp.microseconds;
}

/**
 * Checks the guest's region, which begins at `address`: byte 0 of a page is that of the page before, or, once, one less.
 *
 * @throws Error for anything else: memory that was lost, or is old
 */
export function checkPattern(memory: Uint8Array, address: number): void {
  let edges = 0;
  for (let at = PAGE; at < memory.length; at += PAGE) {
    const [byte, last] = [memory[at]!, memory[at - PAGE]!];
    if (byte === last) continue;
    edges++;
    if (edges > 1 || (byte + 1) % 256 !== last)
      throw new Error(`byte ${byte} at 0x${(at + address).toString(16)}, the page before has ${last}`);
  }
}
