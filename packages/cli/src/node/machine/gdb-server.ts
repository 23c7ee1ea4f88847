import {
  type CharBackend,
  type ChardevSpec,
  ConfigError,
  type Machine,
  MachineDebugger,
  parseChardev,
} from '@sterna/core';
import { openChardev } from '@sterna/core/node';
import { GdbStub } from '@sterna/gdbstub';
import { type MonitorTarget, runHmp } from '@sterna/qmp';
import type { CharDevices } from './char-devices.ts';

/** The gdb server of a machine: at most one, opened by `-gdb`, `-s` or the monitor. */
export class GdbServer {
  readonly #debugger: MachineDebugger;
  readonly #target: MonitorTarget;
  readonly #chardevs: CharDevices;
  readonly #kill: () => void;
  #stub: GdbStub | undefined;
  /** Backend that was opened for the stub; one by reference belongs to somebody else. */
  #own: CharBackend | undefined;

  constructor(machine: Machine, target: MonitorTarget, chardevs: CharDevices, kill: () => void) {
    this.#debugger = new MachineDebugger(machine);
    this.#target = target;
    this.#chardevs = chardevs;
    this.#kill = kill;
  }

  /**
   * Takes the place of the server there was. `none` only closes that.
   *
   * @param origin - the option or command, for messages
   * @returns a sentence for people
   * @throws ConfigError for a device that cannot be used
   */
  async open(device: string, origin: string): Promise<string> {
    const parsed = parseChardev(device, `${origin} ${device}`);
    await this.close();
    if (parsed.kind === 'none') return 'Disabled gdbserver';
    const backend =
      parsed.kind === 'reference'
        ? this.#find(parsed.id, origin)
        : await this.#open(parsed.spec, `${origin} ${device}`);
    if (parsed.kind === 'backend') this.#own = backend;
    this.#stub = new GdbStub(backend, this.#debugger, {
      monitor: (line) => runHmp(line, { target: this.#target, cpuIndex: 0 }),
      kill: this.#kill,
    });
    return `Waiting for gdb connection on device '${device}'`;
  }

  /** The machine has ended: says so to gdb and closes. */
  async end(code: number): Promise<void> {
    this.#stub?.exited(code);
    await this.close();
  }

  /** Ends the session and gives the backend back. */
  async close(): Promise<void> {
    this.#stub?.[Symbol.dispose]();
    this.#stub = undefined;
    const own = this.#own;
    this.#own = undefined;
    await own?.close();
  }

  #find(id: string, origin: string): CharBackend {
    const backend = this.#chardevs.backends.get(id);
    const seated = this.#chardevs.listing.find(({ label }) => label === id)?.seated() === true;
    if (backend !== undefined && !seated) return backend;
    throw new ConfigError(
      'STERNA_ERR_CHARDEV',
      seated ? `chardev '${id}' is in use` : `no -chardev with the id '${id}'`,
      { path: origin },
    );
  }

  async #open(spec: ChardevSpec, origin: string): Promise<CharBackend> {
    if (spec.kind === 'stdio' && this.#chardevs.listing.some(({ description }) => description === 'stdio'))
      throw new ConfigError('STERNA_ERR_CHARDEV', 'stdio is taken by a serial port or monitor', { path: origin });
    return await openChardev('gdb', serving(spec), (where) =>
      process.stderr.write(`sterna: ${origin}: waiting for a connection at ${where}\n`),
    );
  }
}

/** As in QEMU, a tcp device always listens and never waits, and Ctrl-C on stdio is gdb's. */
function serving(spec: ChardevSpec): ChardevSpec {
  if (spec.kind === 'tcp') return { ...spec, server: true, wait: false, nodelay: true, reconnectMs: 0 };
  return spec.kind === 'stdio' ? { ...spec, signal: false } : spec;
}
