import { closeSync, openSync } from 'node:fs';
import { appendFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { type HostClock, SternaError } from '@sterna/core';
import { type MigrationController, MigrationMetrics, otlpMetrics, TraceRecorder } from '@sterna/migration';
import { VERSION } from '../../version.ts';

/** How long the end of a trace is waited for when a migration is still under way, in ms. */
const END_LIMIT_MS = 2000;

/** Traces of one machine's migrations into a file, and figures of all of them. */
export class MigrationTracing {
  readonly #controller: MigrationController;
  readonly #clock: HostClock;
  readonly #name: string | undefined;
  readonly #metrics: MigrationMetrics;
  #listening: (Disposable & { readonly recorder: TraceRecorder }) | undefined;
  /** Called when a trace has got its last lines. */
  #atEnd: () => void = () => {};
  /** What is being written; it fails when one of the writes has. */
  #written: Promise<void> = Promise.resolve();

  /** What a destination must agree with. */
  readonly facts: () => object;

  /** @param name of the machine, if it has one */
  constructor(controller: MigrationController, clock: HostClock, name: string | undefined, facts: () => object) {
    this.facts = facts;
    this.#controller = controller;
    this.#clock = clock;
    this.#name = name;
    this.#metrics = new MigrationMetrics(() => this.#now(), clock.wallNs());
    controller.probes.add(this.#metrics);
  }

  /**
   * Writes the next migration, of either direction, into this file; one after it takes its place.
   *
   * @throws SternaError `STERNA_ERR_HOST_IO` when the file cannot be written
   */
  start(file: string): void {
    const path = resolve(file);
    try {
      closeSync(openSync(path, 'w'));
    } catch (cause) {
      throw unwritable(path, cause);
    }
    this.#listening?.[Symbol.dispose]();
    const recorder = new TraceRecorder({
      now: () => this.#now(),
      date: () => new Date(Number(this.#clock.wallNs() / 1_000_000n)),
      by: `sterna ${VERSION}`,
      machine: this.#name,
      sink: (lines, first, last) => {
        const write = first ? writeFile : appendFile;
        this.#written = this.#written.then(() => write(path, lines)).catch((cause) => fail(unwritable(path, cause)));
        // Whoever stops the trace learns it.
        this.#written.catch(() => {});
        if (last) this.#atEnd();
      },
    });
    this.#listening = Object.assign(this.#controller.probes.add(recorder), { recorder });
  }

  /** Ends a trace; resolves when all of it is in its file. @throws SternaError `STERNA_ERR_HOST_IO` */
  async stop(): Promise<void> {
    const listening = this.#listening;
    listening?.[Symbol.dispose]();
    this.#listening = undefined;
    // The other side may have finished a little earlier.
    if (listening?.recorder.recording === true)
      await new Promise<void>((resolve) => {
        this.#atEnd = resolve;
        setTimeout(resolve, END_LIMIT_MS).unref();
      });
    const written = this.#written;
    this.#written = Promise.resolve();
    await written;
  }

  /** Counters of all migrations of this process, in OTLP's form. */
  metrics(): object {
    const resource = {
      'service.name': 'sterna',
      'service.version': VERSION,
      'process.pid': String(process.pid),
      ...(this.#name === undefined ? {} : { 'service.instance.id': this.#name }),
    };
    return otlpMetrics(this.#metrics, resource, this.#clock.wallNs());
  }

  #now(): number {
    return this.#clock.monotonicNs() / 1e6;
  }
}

function unwritable(path: string, cause: unknown): SternaError {
  return new SternaError('STERNA_ERR_HOST_IO', `cannot write ${path}: ${(cause as Error).message}`, { cause });
}

function fail(error: Error): never {
  throw error;
}
