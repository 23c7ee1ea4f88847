/** How the channels of a migration come about, on both sides. */
import { SternaError } from '@sterna/core';
import type { Capabilities } from '../capabilities.ts';
import type { MigrationHost } from '../host.ts';
import type { MigrationCounters } from '../info.ts';
import type { Pace } from '../pace.ts';
import type { MigrationParameters } from '../parameters.ts';
import type { TlsRequest } from '../tls/request.ts';
import type { MigrationChannel, MigrationTransport } from '../transport/channel.ts';
import type { MigrationAddress } from '../transport/uri.ts';
import type { WireProperties } from '../wire.ts';
import { greet, MultifdOutgoing, type MultifdSettings } from './outgoing.ts';
import type { MultifdCompression } from './packets.ts';
import type { SharePlan } from './page-method.ts';

/** What opening the channels of an outgoing migration takes. */
export interface OutgoingOptions {
  readonly transport: MigrationTransport;
  readonly address: MigrationAddress;
  readonly tls: TlsRequest | undefined;
  readonly host: MigrationHost;
  readonly wire: WireProperties;
  readonly capabilities: Capabilities;
  readonly parameters: Readonly<MigrationParameters>;
  readonly pace: Pace;
  readonly counters: MigrationCounters;
}

/**
 * Refuses an address that only one channel leads to where several are wanted, and all but files where pages have places.
 *
 * @param address - Absent for a channel that exists already.
 * @throws SternaError `STERNA_ERR_CAPABILITY`
 */
export function checkAddress(capabilities: Capabilities, address: MigrationAddress | undefined): void {
  if (capabilities.has('mapped-ram')) {
    // A channel that exists already is looked at when it is used.
    if (address === undefined || address.transport === 'file') return;
    throw new SternaError('STERNA_ERR_CAPABILITY', 'migration capability mapped-ram needs a file, such as file:NAME');
  }
  if (!capabilities.has('multifd')) return;
  if (address?.transport === 'socket' && address.type !== 'fd') return;
  throw new SternaError(
    'STERNA_ERR_CAPABILITY',
    'migration capability multifd needs an address that several channels can connect to, such as tcp:HOST:PORT or unix:PATH',
  );
}

/** Opens the main channel, and with multifd all others. @throws what the transport throws; nothing stays open then */
export async function connectOutgoing(options: OutgoingOptions, signal: AbortSignal): Promise<MigrationChannel> {
  const { transport, address, tls, host, capabilities, parameters, pace, counters } = options;
  const direct = wantsDirectAccess(capabilities, parameters);
  if (!capabilities.has('multifd')) return transport.connect(address, signal, { tls, direct });
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  // The thread of a file knows places in it.
  const main = transport.connect(address, either, { tls, withoutPages: !capabilities.has('mapped-ram') });
  const uuid = host.uuid ?? new Uint8Array(16);
  const connect = async (multifd: number): Promise<MigrationChannel> => {
    // The first connection is the main one to whoever does not look into them.
    const channel = await transport.connect(address, either, { tls, multifd, direct, after: main });
    // In a file there is nobody to greet.
    return capabilities.has('mapped-ram') ? channel : greet(channel, multifd, uuid);
  };
  main.catch(() => {});
  const all = [main];
  const giveUp = (error: Error): void => {
    failed.abort(error);
    for (const one of all) one.then((channel) => channel.abort(error)).catch(() => {});
  };
  try {
    for (let i = 0; i < parameters['multifd-channels']; i++) {
      // To begin a thread takes a moment, and the guest runs.
      await pace.turn();
      all.push(connect(i));
      all[i + 1]!.catch(() => {});
    }
    const [first, ...rest] = await Promise.all(all);
    return new MultifdOutgoing(first!, rest, settingsOf(options), { pace, counters });
  } catch (error) {
    giveUp(error as Error);
    throw error;
  }
}

function settingsOf({ parameters, wire }: OutgoingOptions): MultifdSettings {
  const compression = compressionOf(parameters);
  const level = compression === 'zstd' ? parameters['multifd-zstd-level'] : parameters['multifd-zlib-level'];
  return {
    compression,
    level,
    // The parameter's rule allows nothing else.
    zeroPages: parameters['zero-page-detection'] as SharePlan['zeroPages'],
    syncEachSection: wire.multifdFlushAfterEachSection,
  };
}

/** Whether pages bypass the host's cache; they can where they have aligned places. */
export function wantsDirectAccess(capabilities: Capabilities, parameters: Readonly<MigrationParameters>): boolean {
  return parameters['direct-io'] && capabilities.has('mapped-ram');
}

/** How multifd channels are compressed. */
export function compressionOf(parameters: Readonly<MigrationParameters>): MultifdCompression {
  // The parameter's rule allows nothing else.
  return parameters['multifd-compression'] as MultifdCompression;
}
