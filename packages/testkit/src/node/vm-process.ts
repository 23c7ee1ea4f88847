import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { QmpClient, ReceivedEvent } from '@sterna/qmp';
import { connectQmp } from '@sterna/qmp/node';
import { Patience } from './patience.ts';

/** A machine in a process of its own, with serial line and QMP on sockets. */
export class VmProcess implements AsyncDisposable {
  /** What messages call the program. */
  readonly name: string;
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

  private constructor(command: string, args: readonly string[], name: string) {
    this.name = name;
    this.directory = mkdtempSync(join(tmpdir(), 'sterna-vm-'));
    this.child = spawn(
      command,
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

  /**
   * Starts a machine and connects to it. `-nodefaults`, display, serial and QMP are added to `args`.
   *
   * @param command - Program that takes QEMU's command line.
   * @throws Error with what the program said, when it does not start.
   */
  static async start(command: string, args: readonly string[], name: string = command): Promise<VmProcess> {
    const vm = new VmProcess(command, args, name);
    try {
      await vm.#connect();
      return vm;
    } catch (error) {
      await vm[Symbol.asyncDispose]();
      throw new Error(`${name} did not start: ${vm.errors}`, { cause: error });
    }
  }

  /** The connection to its monitor. */
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
  async until(what: string, condition: (vm: VmProcess) => boolean, limitMs = 60_000): Promise<void> {
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
            `${this.name}: ${reason} while waiting for ${what}\nserial: ${this.serial.slice(-1500)}\nstderr: ${this.errors.slice(-1500)}`,
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
