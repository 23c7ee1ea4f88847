import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { QmpClient, ReceivedEvent } from '@sterna/qmp';
import { connectQmp } from '@sterna/qmp/node';

const root = join(import.meta.dirname, '../..');

/** Programs that take QEMU's command line. */
export const PROGRAMS = {
  sterna: join(root, 'node_modules/.bin/sterna-system-x86_64'),
  'qemu-7.2': 'qemu-system-x86_64',
  'qemu-new': join(root, 'node_modules/.cache/sterna/peers/bin/qemu-newest'),
} as const;
/** Name of a program, or the path of one. */
export type ProgramName = keyof typeof PROGRAMS | (string & {});

/** A machine in a process of its own, with serial line and QMP on sockets. */
export class Vm implements AsyncDisposable {
  readonly program: ProgramName;
  readonly child: ChildProcess;
  readonly directory: string;
  /** Everything the guest has written on its serial line. */
  serial = '';
  /** Standard error of the process. */
  errors = '';
  readonly events: ReceivedEvent[] = [];
  /** Called when the guest has written something. */
  onSerial: () => void = () => {};
  /** Resolves with the exit code. */
  readonly exited: Promise<number | null>;
  #qmp: QmpClient | undefined;
  #socket: Socket | undefined;
  readonly #waiters = new Set<() => void>();

  private constructor(program: ProgramName, args: readonly string[]) {
    this.program = program;
    this.directory = mkdtempSync(join(tmpdir(), 'sterna-vm-'));
    this.child = spawn(
      PROGRAMS[program as keyof typeof PROGRAMS] ?? program,
      [
        ...args,
        '-nodefaults',
        '-display',
        'none',
        '-serial',
        `unix:${this.directory}/serial,server=on,wait=off`,
        '-qmp',
        `unix:${this.directory}/qmp,server=on,wait=off`,
      ],
      { stdio: ['ignore', 'pipe', 'pipe'], cwd: this.directory },
    );
    const keep = (chunk: Buffer): void => {
      this.errors += chunk.toString();
    };
    this.child.stdout?.on('data', keep);
    this.child.stderr?.on('data', keep);
    this.exited = new Promise((resolve) => {
      this.child.on('exit', (code) => {
        resolve(code);
        this.#notify();
      });
      this.child.on('error', (error) => {
        this.errors += error.message;
        resolve(-1);
      });
    });
  }

  /** Starts a machine and connects to it. `-nodefaults`, display, serial and QMP are added to `args`. */
  static async start(program: ProgramName, args: readonly string[]): Promise<Vm> {
    const vm = new Vm(program, args);
    try {
      await vm.#connect();
      return vm;
    } catch (error) {
      await vm[Symbol.asyncDispose]();
      throw new Error(`${program} did not start: ${vm.errors}`, { cause: error });
    }
  }

  get qmp(): QmpClient {
    return this.#qmp!;
  }

  async #connect(): Promise<void> {
    const patience = new Patience(30_000);
    for (const name of ['serial', 'qmp']) {
      while (!existsSync(join(this.directory, name))) {
        if (patience.over || this.child.exitCode !== null) throw new Error(`no ${name} socket`);
        await patience.pause();
      }
    }
    // The file is there from `bind` on, but until `listen` nobody answers.
    while (this.#qmp === undefined) {
      try {
        this.#qmp = await connectQmp(join(this.directory, 'qmp'), { timeoutMs: 60_000 });
      } catch (error) {
        if (patience.over || this.child.exitCode !== null) throw error;
        await patience.pause();
      }
    }
    this.#qmp.onEvent((event) => {
      this.events.push(event);
      this.#notify();
    });
    this.#socket = connect(join(this.directory, 'serial'));
    this.#socket.on('error', () => {});
    this.#socket.on('data', (chunk: Buffer) => {
      this.serial += chunk.toString('latin1');
      this.onSerial();
      this.#notify();
    });
  }

  #notify(): void {
    for (const waiter of [...this.#waiters]) waiter();
  }

  /** Types on the serial line. */
  type(text: string): void {
    this.#socket?.write(text);
  }

  /** Waits until `condition` holds for this machine; fails with what the guest last said. */
  async until(what: string, condition: (vm: Vm) => boolean, limitMs = 60_000): Promise<void> {
    if (condition(this)) return;
    await new Promise<void>((resolve, reject) => {
      const finish = (error?: Error): void => {
        clearInterval(timer);
        this.#waiters.delete(check);
        if (error === undefined) resolve();
        else reject(error);
      };
      const fail = (reason: string): void =>
        finish(
          new Error(
            `${this.program}: ${reason} while waiting for ${what}\nserial: ${this.serial.slice(-1500)}\nstderr: ${this.errors.slice(-1500)}`,
          ),
        );
      const check = (): void => {
        if (condition(this)) finish();
        else if (this.child.exitCode !== null) fail(`exited with ${this.child.exitCode}`);
      };
      const patience = new Patience(limitMs);
      const timer = setInterval(() => {
        if (patience.tick(100)) fail(`nothing for ${limitMs} ms`);
      }, 100);
      this.#waiters.add(check);
      check();
    });
  }

  /** Waits for text on the serial line. */
  async says(text: string | RegExp, limitMs?: number): Promise<void> {
    await this.until(
      String(text),
      (vm) => (typeof text === 'string' ? vm.serial.includes(text) : text.test(vm.serial)),
      limitMs,
    );
  }

  /** Ends the process. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#qmp?.close();
    this.#socket?.destroy();
    if (this.child.exitCode === null) this.child.kill('SIGKILL');
    await this.exited;
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Result of {@link migrate}, from the source's query-migrate. */
export interface MigrationOutcome {
  readonly status: string;
  readonly downtimeMs: number;
  readonly totalMs: number;
  readonly bytes: number;
  readonly errorDesc: string | undefined;
}

/** Moves the guest of `source` into `destination`, which was started with `-incoming defer`. */
export async function migrate(source: Vm, destination: Vm, uri: string, limitMs = 60_000): Promise<MigrationOutcome> {
  await destination.qmp.executeAny('migrate-incoming', { uri });
  await source.qmp.executeAny('migrate', { uri });
  const patience = new Patience(limitMs);
  for (;;) {
    const info = (await source.qmp.executeAny('query-migrate')) as {
      status: string;
      downtime?: number;
      'total-time'?: number;
      ram?: { transferred: number };
      'error-desc'?: string;
    };
    if (['completed', 'failed', 'cancelled'].includes(info.status)) {
      return {
        status: info.status,
        downtimeMs: info.downtime ?? -1,
        totalMs: info['total-time'] ?? -1,
        bytes: info.ram?.transferred ?? -1,
        errorDesc: info['error-desc'],
      };
    }
    if (patience.over) throw new Error(`migration still ${JSON.stringify(info)}`);
    await patience.pause(20);
  }
}

/** A time limit that counts only while this process runs: after the host was suspended, everybody gets time to go on. */
export class Patience {
  #left: number;

  constructor(ms: number) {
    this.#left = ms;
  }
  get over(): boolean {
    return this.#left <= 0;
  }
  /** So much time has passed for a process that runs. @returns whether it is over */
  tick(ms: number): boolean {
    this.#left -= ms;
    return this.over;
  }
  /** Waits a little. */
  async pause(ms = 10): Promise<void> {
    await delay(ms);
    this.tick(ms);
  }
}

/** Waits. */
export function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
