import { type CharBackend, type ChardevSpec, CharMux, ConfigError, parseChardev, unknownNameHint } from '@sterna/core';
import { describeSocket, openChardev } from '@sterna/core/node';
import type { MonitorOption } from '../../system/options.ts';
import type { MachinePlan } from './plan.ts';

/** A monitor and the backend it is on. */
export interface MonitorSeat {
  readonly mode: MonitorOption['mode'];
  readonly pretty: boolean;
  readonly backend: CharBackend;
}

/** A backend and what it is, for people. */
export interface ChardevListing {
  readonly label: string;
  readonly description: string;
  /** QEMU's name of its kind: `socket`, `stdio`. */
  readonly kind: string;
  readonly backend: CharBackend;
  /** Whether a serial port or monitor has it. */
  readonly seated: () => boolean;
}

/** All character backends of a machine. */
export class CharDevices {
  /** Backends by id, for devices. */
  readonly backends: ReadonlyMap<string, CharBackend>;
  /** Ids of the serial ports; undefined stands for `none`. */
  readonly serials: readonly (string | undefined)[];
  readonly monitors: readonly MonitorSeat[];
  /** What `query-chardev` shows. */
  readonly listing: readonly ChardevListing[];
  readonly #owned: readonly { close(): Promise<void> }[];

  constructor(opener: Opener, serials: readonly (string | undefined)[], monitors: readonly MonitorSeat[]) {
    this.backends = opener.backends;
    this.serials = serials;
    this.monitors = monitors;
    this.listing = opener.listing;
    this.#owned = opener.owned;
  }

  /** Sends what is left and closes everything. */
  async close(): Promise<void> {
    await Promise.all(this.#owned.map((backend) => backend.close()));
  }
}

/**
 * Opens every backend of a plan. Servers with `wait=on` are waited for, one after the other.
 *
 * @param onQuit - Ctrl-A x was typed.
 * @throws SternaError naming the option and the host's reason; what was opened is closed again.
 */
export async function openCharDevices(plan: MachinePlan, onQuit: () => void): Promise<CharDevices> {
  const opener = new Opener(onQuit);
  try {
    for (const { id, spec, mux } of plan.chardevs) await opener.open(id, spec, mux, `-chardev ${id}`);
    const serials: (string | undefined)[] = [];
    const monitors: MonitorSeat[] = [];
    for (const [index, text] of plan.serials.entries()) {
      const seat = await opener.seat(text, `serial${index}`, `-serial ${text}`);
      serials.push(seat?.id);
      if (seat?.monitor !== undefined) monitors.push({ mode: 'readline', pretty: false, backend: seat.monitor });
    }
    for (const [index, { chardev, mode, pretty, origin }] of plan.monitors.entries()) {
      const seat = await opener.seat(chardev, `compat_monitor${index}`, origin);
      if (seat !== undefined) monitors.push({ mode, pretty, backend: opener.backends.get(seat.id)! });
      // `mon:` in front of a monitor of its own: both share the backend.
      if (seat?.monitor !== undefined) monitors.push({ mode: 'readline', pretty: false, backend: seat.monitor });
    }
    return new CharDevices(opener, serials, monitors);
  } catch (error) {
    await Promise.all(opener.owned.map((backend) => backend.close()));
    throw error;
  }
}

class Opener {
  readonly backends = new Map<string, CharBackend>();
  readonly owned: { close(): Promise<void> }[] = [];
  readonly listing: ChardevListing[] = [];
  readonly #muxes = new Map<string, CharMux>();
  readonly #used = new Set<string>();
  readonly #onQuit: () => void;
  #stdio: string | undefined;
  #ports = 0;

  constructor(onQuit: () => void) {
    this.#onQuit = onQuit;
  }

  /** Opens a backend of its own. */
  async open(id: string, spec: ChardevSpec, mux: boolean, origin: string): Promise<void> {
    if (spec.kind === 'stdio') {
      if (this.#stdio !== undefined) {
        throw new ConfigError(
          'STERNA_ERR_CHARDEV',
          `stdio is taken by ${this.#stdio}; share it with -chardev stdio,id=...,mux=on`,
          { path: origin },
        );
      }
      this.#stdio = origin;
    }
    const backend = await openChardev(id, spec, (where) =>
      process.stderr.write(`sterna: ${origin}: waiting for a connection at ${where}\n`),
    );
    this.owned.push(backend);
    this.listing.push({
      label: id,
      description: describeChardev(spec),
      kind: kindName(spec),
      backend,
      seated: () => this.#used.has(id),
    });
    if (mux) this.#muxes.set(id, new CharMux(backend, { onQuit: this.#onQuit }));
    this.backends.set(id, mux ? this.#port(id) : backend);
  }

  /** Finds or opens what a short form names: the id of its backend, and the port of a monitor that shares it. */
  async seat(
    text: string,
    ownId: string,
    origin: string,
  ): Promise<{ readonly id: string; readonly monitor?: CharBackend } | undefined> {
    const target = parseChardev(text, origin);
    switch (target.kind) {
      case 'none':
        return undefined;
      case 'reference':
        return { id: this.#reference(target.id, origin) };
      case 'backend':
        await this.open(ownId, target.spec, target.withMonitor, origin);
        this.#used.add(ownId);
        return { id: ownId, ...(target.withMonitor ? { monitor: this.#port(ownId) } : {}) };
    }
  }

  #reference(id: string, origin: string): string {
    if (!this.backends.has(id)) {
      throw new ConfigError(
        'STERNA_ERR_CHARDEV',
        `no -chardev with the id '${id}'; ${unknownNameHint(id, [...this.backends.keys()])}`,
        { path: origin },
      );
    }
    if (!this.#used.has(id)) {
      this.#used.add(id);
      return id;
    }
    if (!this.#muxes.has(id)) {
      throw new ConfigError('STERNA_ERR_CHARDEV', `chardev '${id}' is in use; give it mux=on to share it`, {
        path: origin,
      });
    }
    const port = this.#port(id);
    this.backends.set(port.id, port);
    return port.id;
  }

  #port(id: string): CharBackend {
    return this.#muxes.get(id)!.port(`${id}.mux${this.#ports++}`);
  }
}

function kindName({ kind }: ChardevSpec): string {
  return kind === 'unix' || kind === 'tcp' || kind === 'fd' ? 'socket' : kind;
}

function describeChardev(spec: ChardevSpec): string {
  switch (spec.kind) {
    case 'file':
      return `file:${spec.path}`;
    case 'unix':
    case 'tcp':
    case 'fd':
      return `${describeSocket(spec)}${spec.server ? ',server=on' : ''}`;
    default:
      return spec.kind;
  }
}
