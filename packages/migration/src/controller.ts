/** The control plane's view of migration: one object for each machine. */
import { isLive, SternaError } from '@sterna/core';
import { Attempt } from './attempt.ts';
import { Capabilities } from './capabilities.ts';
import { runDestination } from './destination/destination.ts';
import { DirtyLimits } from './dirty-limit/dirty-limits.ts';
import { MigrationCancelled, MigrationStateError, messageOf, TransportError } from './errors.ts';
import type { MigrationHost } from './host.ts';
import type { MigrationCounters, MigrationInfo } from './info.ts';
import { checkAddress, compressionOf, connectOutgoing, wantsDirectAccess } from './multifd/connect.ts';
import { ChannelCollector } from './multifd/incoming-channels.ts';
import type { Pace } from './pace.ts';
import { applyParameters, defaultParameters, type MigrationParameters } from './parameters.ts';
import { SourceMigration } from './source/source.ts';
import { isMigrating, type MigrationStatus, StatusCell } from './status.ts';
import { tlsRequest } from './tls/request.ts';
import { type AttemptFacts, type MigrationProbe, MigrationProbes, type MigrationSide } from './trace/probe.ts';
import type { MigrationChannel, MigrationListener, MigrationTransport } from './transport/channel.ts';
import { type MigrationAddress, parseMigrationUri } from './transport/uri.ts';
import { Rehearsal } from './vmstate/rehearse.ts';
import { type WireGeneration, type WireProperties, wireProperties } from './wire.ts';

/** What a controller needs beside the machine. */
export interface ControllerOptions {
  readonly transport: MigrationTransport;
  readonly pace: Pace;
  /** Wire generation of streams this side writes; `compat` by default. */
  readonly wire?: WireGeneration;
  /** Single properties of it, from `-global migration.*`. */
  readonly wireOverrides?: Partial<WireProperties>;
}

/** An outgoing migration as the controller holds it. */
interface Outgoing {
  readonly attempt: Attempt;
  /** Ends the attempt to connect. */
  readonly connecting: AbortController;
  channel: MigrationChannel | undefined;
  source: SourceMigration | undefined;
}

/** An incoming one. */
interface Incoming {
  readonly status: StatusCell;
  /** Who measures it, from the moment that the source has come. */
  probe: MigrationProbe | undefined;
  listener: MigrationListener | undefined;
  channel: MigrationChannel | undefined;
  error: string | undefined;
}

/** States in which `query-migrate` shows figures (QEMU migration/migration.c fill_source_migration_info, v10.0). */
const WITH_FIGURES: ReadonlySet<MigrationStatus> = new Set([
  'active',
  'pre-switchover',
  'device',
  'cancelling',
  'completed',
]);

function addressOf(place: string | MigrationAddress): MigrationAddress {
  return typeof place === 'string' ? parseMigrationUri(place) : place;
}

/** Migrates one machine, out and in. */
export class MigrationController {
  /** Capabilities of both directions. */
  readonly capabilities: Capabilities = new Capabilities();
  /** Who measures migrations of both directions. */
  readonly probes: MigrationProbes = new MigrationProbes();
  /** Whether a guest that arrives running runs at once; `stop` and `cont` while waiting change it. */
  autostart = true;
  readonly #host: MigrationHost;
  readonly #options: ControllerOptions;
  readonly #wire: WireProperties;
  readonly #rehearsal: Rehearsal;
  /** Limits on how fast vCPUs dirty memory, by the user and by migrations. */
  readonly dirtyLimits: DirtyLimits;
  #parameters: MigrationParameters = defaultParameters();
  #outgoing: Outgoing | undefined;
  #incoming: Incoming | undefined;

  constructor(host: MigrationHost, options: ControllerOptions) {
    this.#host = host;
    this.#options = options;
    this.#rehearsal = new Rehearsal(host, options.pace);
    this.dirtyLimits = new DirtyLimits(host, options.pace);
    this.#wire = wireProperties(options.wire ?? 'compat', options.wireOverrides);
    this.#parameters['zero-page-detection'] = this.#wire.zeroPageDetection;
    host.followMigration?.(() => isMigrating(this.#outgoing?.attempt.status.value ?? 'none'));
  }

  /** How streams that this side writes are made. */
  get wire(): WireProperties {
    return this.#wire;
  }

  /** Current parameters. */
  get parameters(): Readonly<MigrationParameters> {
    return this.#parameters;
  }

  /** Changes parameters; `max-bandwidth` and `downtime-limit` take effect at once, also in a running migration. */
  setParameters(changes: Readonly<Record<string, unknown>>): void {
    this.#parameters = applyParameters(this.#parameters, changes);
  }

  /** Switches capabilities. @throws SternaError while a migration runs, or when one is not offered here */
  setCapabilities(changes: readonly { readonly capability: string; readonly state: boolean }[]): void {
    if (this.migrating) throw new MigrationStateError('a migration is in progress');
    this.capabilities.set(changes);
  }

  /** Whether an outgoing or incoming migration is under way. */
  get migrating(): boolean {
    const incoming = this.#incoming?.status.value;
    return isMigrating(this.#outgoing?.attempt.status.value ?? 'none') || incoming === 'active';
  }

  /**
   * Moves the guest to where the uri or address leads. Resolves when it has moved; QMP's `migrate` does not wait for that.
   *
   * @throws MigrationStateError, SternaError `STERNA_ERR_MIGRATION_BLOCKED` at once; later whatever ended the
   *   migration, with the guest running again here
   */
  async migrate(to: string | MigrationAddress): Promise<MigrationInfo> {
    const address = addressOf(to);
    const { transport, pace } = this.#options;
    const { capabilities } = this;
    const [host, wire, parameters] = [this.#host, this.#wire, this.#parameters];
    const tls = tlsRequest(parameters);
    const options = { transport, address, tls, host, wire, capabilities, parameters, pace };
    this.checkMigrate(address);
    return this.#migrateOver((signal, counters) => connectOutgoing({ ...options, counters }, signal));
  }

  /** Moves the guest over a channel that exists already. */
  async migrateOverChannel(channel: MigrationChannel): Promise<MigrationInfo> {
    this.checkMigrate();
    return this.#migrateOver(async () => channel);
  }

  /** Throws what `migrate` would throw at once; for control planes that answer before the migration ends. */
  checkMigrate(to?: MigrationAddress): void {
    const { runState } = this.#host;
    checkAddress(this.capabilities, to);
    if (this.capabilities.has('dirty-limit') && this.#host.dirtying === undefined)
      throw new SternaError(
        'STERNA_ERR_CAPABILITY',
        'migration capability dirty-limit needs CPUs that count the pages that they dirty',
      );
    if (this.migrating) throw new MigrationStateError('a migration is in progress already');
    if (runState === 'inmigrate') throw new MigrationStateError('this machine waits for an incoming migration');
    if (runState === 'postmigrate') throw new MigrationStateError('the guest of this machine has moved away already');
    const blocked = this.#host.blockedReasons('normal');
    if (blocked.length > 0)
      throw new SternaError('STERNA_ERR_MIGRATION_BLOCKED', `migration is blocked: ${blocked.join('; ')}`);
  }

  async #migrateOver(
    connect: (signal: AbortSignal, counters: MigrationCounters) => Promise<MigrationChannel>,
  ): Promise<MigrationInfo> {
    // While the channel opens there is time.
    this.#rehearsal.start();
    const probe = this.probes.active;
    const attempt = new Attempt((status) => {
      probe?.status('source', status);
      this.#emitStatus(status);
    });
    const connecting = new AbortController();
    const outgoing: Outgoing = { attempt, connecting, channel: undefined, source: undefined };
    this.#outgoing = outgoing;
    attempt.status.move('none', 'setup');
    try {
      const signal = AbortSignal.any([attempt.signal, connecting.signal]);
      const channel = await connect(signal, attempt.counters);
      outgoing.channel = channel;
      signal.throwIfAborted();
      outgoing.source = this.#source(attempt, channel, probe);
      await outgoing.source.run();
      await channel.close();
      probe?.end('source', undefined);
    } catch (error) {
      const reason = error instanceof Error ? error : new TransportError(String(error));
      outgoing.channel?.abort(reason);
      // Without a source nobody has ended it yet.
      attempt.fail(reason);
      attempt.end();
      probe?.end('source', reason);
      throw reason;
    }
    return this.query();
  }

  #source(attempt: Attempt, channel: MigrationChannel, probe: MigrationProbe | undefined): SourceMigration {
    probe?.begin(this.#facts('source', channel, attempt.counters));
    return new SourceMigration({
      host: this.#host,
      channel,
      wire: this.#wire,
      capabilities: this.capabilities,
      parameters: () => this.#parameters,
      pace: this.#options.pace,
      rehearsal: this.#rehearsal,
      dirtyLimits: this.dirtyLimits,
      attempt,
      ...(probe === undefined ? {} : { probe }),
    });
  }

  #facts(side: MigrationSide, channel: MigrationChannel, counters: MigrationCounters | undefined): AttemptFacts {
    const on = this.capabilities.list().filter(({ state }) => state);
    return { side, channel: channel.name, capabilities: on.map(({ capability }) => capability), counters };
  }

  /**
   * Cancels an outgoing migration; nothing happens without one, or when the destination may already own the guest.
   * QUIRK: QEMU still cancels then, and both sides may run the guest.
   */
  cancel(): void {
    const outgoing = this.#outgoing;
    if (outgoing === undefined || outgoing.source?.committed === true) return;
    const reason = new MigrationCancelled();
    if (outgoing.attempt.cancel(reason)) outgoing.channel?.abort(reason);
  }

  /**
   * Lets a migration that waits in this state go on; only `pre-switchover` waits.
   *
   * @throws MigrationStateError when the migration is in another state
   */
  continue(state: string): void {
    const status = this.#outgoing?.attempt.status.value ?? 'none';
    if (state !== status) throw new MigrationStateError(`the migration is in state ${status}, not ${state}`);
    if (status === 'pre-switchover') this.#outgoing?.attempt.continueSwitchover.resolve();
  }

  /**
   * Starts the guest, as QMP's `cont` does: one that has not come in yet runs when it has, and disks are taken back first.
   *
   * @throws MigrationStateError at the end of a migration; SternaError when a disk cannot be taken or the guest cannot run
   */
  async cont(): Promise<void> {
    const host = this.#host;
    if (host.runState === 'inmigrate') {
      this.autostart = true;
      return;
    }
    this.#checkCont();
    if (isLive(host.runState)) return;
    await host.activateDisks?.();
    // Meanwhile something may have begun that needs the guest stopped.
    this.#checkCont();
    if (!isLive(host.runState)) host.start();
  }

  #checkCont(): void {
    if (this.#host.runState === 'finish-migrate')
      throw new MigrationStateError(
        'the migration is not finalized yet: the guest is on its way, or will go on by itself',
      );
  }

  /** Stops the guest, as QMP's `stop` does; one that has not come in yet stays stopped when it has. */
  async stop(): Promise<void> {
    const host = this.#host;
    if (host.runState === 'inmigrate') this.autostart = false;
    else if (isLive(host.runState)) await host.stop('paused');
  }

  /**
   * Breaks the channels of a migration under way at once, as if the network had failed: for a peer that hangs
   * (QEMU's yank). Nothing happens without one.
   */
  yank(): void {
    const reason = new TransportError('the connection was broken by yank');
    if (isMigrating(this.#outgoing?.attempt.status.value ?? 'none')) {
      this.#outgoing?.connecting.abort(reason);
      this.#outgoing?.channel?.abort(reason);
    }
    this.#incoming?.channel?.abort(reason);
  }

  /**
   * Waits at the uri for a guest and takes it over. Resolves when it has arrived.
   *
   * @param listening called when the source may connect
   * @throws StreamError, TransportError; the machine stays stopped and can try again
   */
  async migrateIncoming(from: string | MigrationAddress, listening?: () => void): Promise<void> {
    const address = addressOf(from);
    checkAddress(this.capabilities, address);
    const incoming = this.#beginIncoming();
    try {
      const multifd = this.capabilities.has('multifd') ? this.#parameters['multifd-channels'] : 0;
      const tls = tlsRequest(this.#parameters);
      const direct = wantsDirectAccess(this.capabilities, this.#parameters);
      incoming.listener = await this.#options.transport.listen(address, { tls, channels: multifd + 1, direct });
      listening?.();
      const channel = await this.#accept(incoming.listener, multifd);
      await incoming.listener.close();
      await this.#load(incoming, channel);
    } catch (error) {
      await incoming.listener?.close();
      this.#incomingFailed(error);
      throw error;
    }
  }

  #accept(listener: MigrationListener, multifd: number): Promise<MigrationChannel> {
    // Pages of a file are read by places; whoever wrote them may have been several.
    if (multifd === 0 || this.capabilities.has('mapped-ram')) return listener.accept();
    const uuid = this.#host.uuid ?? new Uint8Array(16);
    return new ChannelCollector({ channels: multifd, uuid }).collect(listener);
  }

  /** Takes a guest over from a channel that exists already. */
  async migrateIncomingOverChannel(channel: MigrationChannel): Promise<void> {
    checkAddress(this.capabilities, undefined);
    const incoming = this.#beginIncoming();
    try {
      await this.#load(incoming, channel);
    } catch (error) {
      this.#incomingFailed(error);
      throw error;
    }
  }

  #beginIncoming(): Incoming {
    if (this.#host.runState !== 'inmigrate')
      throw new MigrationStateError("this machine was not started with '-incoming'");
    const before = this.#incoming?.status.value;
    if (before !== undefined && before !== 'failed')
      throw new MigrationStateError('the incoming migration has been started already');
    // What a failed load has left must not show through the next one.
    if (before === 'failed') this.#host.reset?.();
    const incoming: Incoming = {
      status: new StatusCell((status) => {
        (incoming.probe ?? this.probes.active)?.status('destination', status);
        this.#emitStatus(status);
      }),
      probe: undefined,
      listener: undefined,
      channel: undefined,
      error: undefined,
    };
    this.#incoming = incoming;
    this.#rehearsal.start();
    incoming.status.move('none', 'setup');
    return incoming;
  }

  async #load(incoming: Incoming, channel: MigrationChannel): Promise<void> {
    incoming.channel = channel;
    const probe = this.probes.active;
    incoming.probe = probe;
    probe?.begin(this.#facts('destination', channel, undefined));
    try {
      await runDestination({
        probe,
        host: this.#host,
        channel,
        compression: compressionOf(this.#parameters),
        capabilities: this.capabilities,
        wire: this.#wire,
        pace: this.#options.pace,
        rehearsal: this.#rehearsal,
        status: incoming.status,
        autostart: () => this.autostart,
      });
    } catch (error) {
      channel.abort(error instanceof Error ? error : new TransportError(String(error)));
      throw error;
    }
    await channel.close();
    probe?.end('destination', undefined);
  }

  #incomingFailed(error: unknown): void {
    const incoming = this.#incoming!;
    incoming.error = messageOf(error);
    this.#host.report?.(`the incoming migration failed: ${incoming.error}`);
    if (!incoming.status.move('active', 'failed')) incoming.status.move('setup', 'failed');
    incoming.probe?.end('destination', error);
  }

  /** The answer to `query-migrate`. */
  query(): MigrationInfo {
    const blocked = this.#host.blockedReasons('normal');
    const reasons = blocked.length === 0 ? {} : { 'blocked-reasons': blocked };
    const outgoing = this.#outgoing;
    if (outgoing === undefined) return { ...this.#incomingInfo(), ...reasons };
    const { status, error } = outgoing.attempt;
    const state = status.value;
    const times = WITH_FIGURES.has(state) ? this.#figures(outgoing.attempt) : {};
    return { status: state, ...times, ...(error === undefined ? {} : { 'error-desc': error }), ...reasons };
  }

  #figures({ status, counters }: Attempt): Partial<MigrationInfo> {
    const total = counters.totalTime ?? Math.round(this.#options.pace.now() - counters.startedAt);
    const downtime =
      counters.downtime === undefined
        ? { 'expected-downtime': counters.expectedDowntime }
        : { downtime: counters.downtime };
    const completed = status.value === 'completed';
    return {
      ram: counters.stats(completed),
      ...(completed ? {} : { remaining: Math.max(counters.pending, counters.remaining) }),
      ...(this.capabilities.has('xbzrle')
        ? { 'xbzrle-cache': counters.xbzrle.stats(this.#parameters['xbzrle-cache-size']) }
        : {}),
      ...(this.capabilities.has('dirty-limit') && this.dirtyLimits.active
        ? { 'dirty-limit-throttle-time-per-round': this.dirtyLimits.longestRestUs }
        : {}),
      'total-time': total,
      'setup-time': Math.round(counters.setupTime ?? 0),
      ...downtime,
      ...(counters.throttlePercentage === 0 ? {} : { 'cpu-throttle-percentage': counters.throttlePercentage }),
    };
  }

  #incomingInfo(): MigrationInfo {
    const incoming = this.#incoming;
    if (incoming === undefined) return {};
    const { status, listener, error } = incoming;
    return {
      status: status.value,
      ...(error === undefined ? {} : { 'error-desc': error }),
      ...(listener?.address === undefined || status.value === 'completed'
        ? {}
        : { 'socket-address': [listener.address] }),
    };
  }

  #emitStatus(status: string): void {
    if (this.capabilities.has('events')) this.#host.emit({ event: 'MIGRATION', data: { status } });
  }
}
