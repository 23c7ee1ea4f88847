import { closeSync, openSync, writeSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { type CorePlan, isLive, type Machine, planCoreDump, SternaError } from '@sterna/core';
import type { PassedDescriptors } from '@sterna/core/node';
import type { DumpQuery, DumpRequest, MonitorDump, MonitorEvent } from '@sterna/qmp';

/** Bytes that are written at once; between two parts the event loop has its turn. */
const PART = 4 * 2 ** 20;

/** Writes core files of a machine, one at a time; the guest stands still meanwhile. */
export class CoreFiles implements MonitorDump {
  readonly #machine: Machine;
  readonly #descriptors: PassedDescriptors;
  readonly #emit: (event: MonitorEvent) => void;
  #state: DumpQuery = { status: 'none', completed: 0, total: 0 };

  constructor(machine: Machine, descriptors: PassedDescriptors, emit: (event: MonitorEvent) => void) {
    this.#machine = machine;
    this.#descriptors = descriptors;
    this.#emit = emit;
  }

  query(): DumpQuery {
    return this.#state;
  }

  /** Resolves when the file is complete, or at once when it is to be written in the background. */
  async start({ paging, protocol, detach, range }: DumpRequest): Promise<void> {
    const machine = this.#machine;
    if (this.#state.status === 'active')
      throw new SternaError('STERNA_ERR_RUN_STATE', 'There is a dump in process, please wait.');
    if (machine.runState === 'inmigrate')
      throw new SternaError('STERNA_ERR_RUN_STATE', 'Dump not allowed during incoming migration.');
    const fd = this.#open(protocol);
    const wasLive = isLive(machine.runState);
    try {
      if (wasLive) machine.stop('paused');
      const plan = planCoreDump(machine, { paging, range });
      this.#state = { status: 'active', completed: 0, total: plan.memorySize };
      const work = this.#write(plan, fd, wasLive);
      if (detach) work.catch(() => {});
      else await work;
    } catch (error) {
      if (this.#state.status !== 'failed' && this.#state.status !== 'active') this.#end(fd, wasLive);
      throw error;
    }
  }

  #open(protocol: string): number {
    const name = protocol.slice(protocol.indexOf(':') + 1);
    if (protocol.startsWith('fd:')) {
      const fd = this.#descriptors.take(name);
      if (fd === undefined)
        throw new SternaError('STERNA_ERR_OPTION_VALUE', `File descriptor named '${name}' has not been found`);
      return fd;
    }
    try {
      return openSync(name, 'w', 0o600);
    } catch (cause) {
      throw new SternaError('STERNA_ERR_HOST_IO', `Could not open '${name}': ${(cause as Error).message}`, { cause });
    }
  }

  async #write(plan: CorePlan, fd: number, wasLive: boolean): Promise<void> {
    let failure: SternaError | undefined;
    try {
      writeAll(fd, plan.head);
      for (const { address, length } of plan.memory) await this.#writeMemory(fd, address, length);
      writeAll(fd, plan.tail);
    } catch (cause) {
      failure = new SternaError('STERNA_ERR_HOST_IO', `dump: failed to save memory: ${(cause as Error).message}`, {
        cause,
      });
    }
    const { completed, total } = this.#state;
    this.#state = { status: failure === undefined ? 'completed' : 'failed', completed, total };
    this.#end(fd, wasLive);
    const error = failure === undefined ? {} : { error: failure.message };
    this.#emit({ event: 'DUMP_COMPLETED', data: { result: this.#state, ...error } });
    if (failure !== undefined) throw failure;
  }

  async #writeMemory(fd: number, address: number, length: number): Promise<void> {
    const part = new Uint8Array(Math.min(length, PART));
    for (let done = 0; done < length; done += part.length) {
      const bytes = part.subarray(0, Math.min(part.length, length - done));
      this.#machine.bus.read(address + done, bytes);
      writeAll(fd, bytes);
      this.#state = { ...this.#state, completed: this.#state.completed + bytes.length };
      await setImmediate();
    }
  }

  #end(fd: number, wasLive: boolean): void {
    closeSync(fd);
    if (wasLive && this.#machine.runState === 'paused') this.#machine.start();
  }
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
}
