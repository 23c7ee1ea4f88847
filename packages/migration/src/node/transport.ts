import { type ObjectContext, SternaError } from '@sterna/core';
import { isDescriptorSet, type PassedDescriptors } from '@sterna/core/node';
import type {
  ConnectOptions,
  ListenOptions,
  MigrationChannel,
  MigrationListener,
  MigrationTransport,
} from '../transport/channel.ts';
import { formatMigrationAddress, type MigrationAddress } from '../transport/uri.ts';
import type { ThreadTarget } from './channel-thread-messages.ts';
import { descriptorChannel, descriptorTarget } from './descriptor.ts';
import { execChannel } from './exec.ts';
import { cutAt, FileReader, openForReading, openForWriting, orClose } from './file.ts';
import { LoopChannel } from './loop-channel.ts';
import { listenSocket } from './socket.ts';
import { ThreadChannel } from './thread-channel.ts';
import { tlsAcceptor, tlsClient } from './tls-objects.ts';

type FileAddress = Extract<MigrationAddress, { transport: 'file' }>;

/** Where a transport finds what its user names. */
export interface NodeTransportOptions {
  /** Descriptors that clients passed, for `fd:NAME` and `file:/dev/fdset/N`; numbers are inherited ones. */
  readonly passed?: PassedDescriptors;
  /** TLS credentials and access lists. */
  readonly objects?: ObjectContext;
  /** Told what nobody waits for: who was not let in. */
  readonly report?: (text: string) => void;
}

/** Channels of this host: tcp, unix, fd, exec and file. */
export class NodeMigrationTransport implements MigrationTransport {
  readonly #passed: PassedDescriptors | undefined;
  readonly #objects: ObjectContext;
  readonly #report: (text: string) => void;

  constructor({ passed, objects, report }: NodeTransportOptions = {}) {
    this.#passed = passed;
    this.#objects = objects ?? { find: () => undefined };
    this.#report = report ?? (() => {});
  }

  async connect(
    address: MigrationAddress,
    signal: AbortSignal,
    options: ConnectOptions = {},
  ): Promise<MigrationChannel> {
    const { tls, multifd, after } = options;
    const setup = tls === undefined ? undefined : tlsClient(this.#objects, tls, address);
    const target = await this.#target(address, options);
    const name = formatMigrationAddress(address);
    if (options.withoutPages === true) return LoopChannel.open({ name, target, tls: setup }, signal);
    const full = multifd === undefined ? name : `${name}, multifd channel ${multifd}`;
    return ThreadChannel.open(full, target, signal, setup, after);
  }

  async #target(address: MigrationAddress, options: ConnectOptions): Promise<ThreadTarget> {
    const { tls, multifd, direct = false } = options;
    switch (address.transport) {
      case 'exec':
        return { kind: 'exec', args: address.args };
      case 'file':
        return this.#fileTarget(address, multifd !== undefined, direct);
      case 'socket':
        if (address.type === 'fd') return descriptorTarget(this.#number(address.str), tls !== undefined);
        if (address.type === 'unix') return { kind: 'unix', path: address.path };
        return { kind: 'inet', host: address.host, port: address.port };
    }
  }

  async listen(
    address: MigrationAddress,
    { tls, channels, direct = false }: ListenOptions = {},
  ): Promise<MigrationListener> {
    const acceptor =
      tls === undefined ? undefined : tlsAcceptor(this.#objects, tls, address, ({ message }) => this.#report(message));
    switch (address.transport) {
      case 'exec':
        return once(address, () => execChannel(address.args));
      case 'file': {
        const channel = await this.#fileReader(address, direct);
        return once(address, () => channel);
      }
      case 'socket':
        if (address.type === 'fd') return once(address, () => descriptorChannel(this.#number(address.str), acceptor));
        return listenSocket(address, acceptor, channels);
    }
  }

  /** The file of a migration's main channel, which begins it, or of a further one, which only writes pages. */
  async #fileTarget({ filename, offset }: FileAddress, further: boolean, direct: boolean): Promise<ThreadTarget> {
    const opened = (how: boolean) => this.#open(filename, 'write', how);
    if (further) return { kind: 'file', fd: await opened(direct), position: undefined };
    const fd = await cutAt(filename, await opened(false), offset);
    if (!direct) return { kind: 'file', fd, position: offset };
    return { kind: 'file', fd, position: offset, pagesFd: await orClose(fd, opened(true)) };
  }

  async #fileReader({ filename, offset }: FileAddress, direct: boolean): Promise<FileReader> {
    const fd = await this.#open(filename, 'read', false);
    const pagesFd = direct ? await orClose(fd, this.#open(filename, 'read', true)) : fd;
    return new FileReader(`file:${filename}`, fd, offset, pagesFd);
  }

  async #open(filename: string, access: 'read' | 'write', direct: boolean): Promise<number> {
    if (this.#passed !== undefined && isDescriptorSet(filename))
      return this.#passed.copyFromSet(filename, access, direct);
    return access === 'write' ? openForWriting(filename, { direct }) : openForReading(filename, { direct });
  }

  #number(name: string): number {
    const fd = /^\d+$/.test(name) ? Number(name) : this.#passed?.take(name);
    if (fd !== undefined) return fd;
    throw new SternaError(
      'STERNA_ERR_OPTION_VALUE',
      `File descriptor named '${name}' has not been found; pass it with getfd first`,
    );
  }
}

/** A listener for what needs no waiting. */
function once(
  address: MigrationAddress,
  accept: () => MigrationChannel | Promise<MigrationChannel>,
): MigrationListener {
  return { uri: formatMigrationAddress(address), accept: async () => accept(), close: async () => {} };
}
