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
import { cutAt, FileReader, openForWriting } from './file.ts';
import { listenSocket } from './socket.ts';
import { ThreadChannel } from './thread-channel.ts';
import { tlsAcceptor, tlsClient } from './tls-objects.ts';

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
    { tls, multifd, after }: ConnectOptions = {},
  ): Promise<MigrationChannel> {
    const setup = tls === undefined ? undefined : tlsClient(this.#objects, tls, address);
    const target = await this.#target(address, setup !== undefined);
    const name = formatMigrationAddress(address);
    const full = multifd === undefined ? name : `${name}, multifd channel ${multifd}`;
    return ThreadChannel.open(full, target, signal, setup, after);
  }

  async #target(address: MigrationAddress, secured: boolean): Promise<ThreadTarget> {
    switch (address.transport) {
      case 'exec':
        return { kind: 'exec', args: address.args };
      case 'file': {
        const { filename, offset } = address;
        const fd =
          this.#passed !== undefined && isDescriptorSet(filename)
            ? await cutAt(filename, this.#passed.copyFromSet(filename, 'write'), offset)
            : await openForWriting(filename, offset);
        return { kind: 'file', fd, position: offset };
      }
      case 'socket':
        if (address.type === 'fd') return descriptorTarget(this.#number(address.str), secured);
        if (address.type === 'unix') return { kind: 'unix', path: address.path };
        return { kind: 'inet', host: address.host, port: address.port };
    }
  }

  async listen(address: MigrationAddress, { tls, channels }: ListenOptions = {}): Promise<MigrationListener> {
    const acceptor =
      tls === undefined ? undefined : tlsAcceptor(this.#objects, tls, address, ({ message }) => this.#report(message));
    switch (address.transport) {
      case 'exec':
        return once(address, () => execChannel(address.args));
      case 'file': {
        const channel =
          this.#passed !== undefined && isDescriptorSet(address.filename)
            ? new FileReader(
                `file:${address.filename}`,
                this.#passed.copyFromSet(address.filename, 'read'),
                address.offset,
              )
            : await FileReader.open(address.filename, address.offset);
        return once(address, () => channel);
      }
      case 'socket':
        if (address.type === 'fd') return once(address, () => descriptorChannel(this.#number(address.str), acceptor));
        return listenSocket(address, acceptor, channels);
    }
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
