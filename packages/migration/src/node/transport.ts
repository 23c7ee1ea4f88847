import { SternaError } from '@sterna/core';
import { isDescriptorSet, type PassedDescriptors } from '@sterna/core/node';
import type { MigrationChannel, MigrationListener, MigrationTransport } from '../transport/channel.ts';
import { formatMigrationAddress, type MigrationAddress } from '../transport/uri.ts';
import { descriptorChannel } from './descriptor.ts';
import { execChannel } from './exec.ts';
import { FileChannel } from './file.ts';
import { connectSocket, listenSocket } from './socket.ts';

/** Channels of this host: tcp, unix, fd, exec and file. */
export class NodeMigrationTransport implements MigrationTransport {
  readonly #passed: PassedDescriptors | undefined;

  /** @param passed - Descriptors that clients passed, for `fd:NAME` and `file:/dev/fdset/N`; numbers are inherited ones. */
  constructor(passed?: PassedDescriptors) {
    this.#passed = passed;
  }

  async connect(address: MigrationAddress, signal: AbortSignal): Promise<MigrationChannel> {
    switch (address.transport) {
      case 'exec':
        return execChannel(address.args, 'out');
      case 'file':
        if (this.#passed !== undefined && isDescriptorSet(address.filename))
          return FileChannel.truncate(
            address.filename,
            this.#passed.copyFromSet(address.filename, 'write'),
            address.offset,
          );
        return FileChannel.create(address.filename, address.offset);
      case 'socket':
        if (address.type === 'fd') return descriptorChannel(this.#number(address.str), 'out');
        return connectSocket(address, signal);
    }
  }

  async listen(address: MigrationAddress): Promise<MigrationListener> {
    switch (address.transport) {
      case 'exec':
        return once(address, () => execChannel(address.args, 'in'));
      case 'file': {
        const channel =
          this.#passed !== undefined && isDescriptorSet(address.filename)
            ? new FileChannel(
                `file:${address.filename}`,
                this.#passed.copyFromSet(address.filename, 'read'),
                address.offset,
              )
            : await FileChannel.open(address.filename, address.offset);
        return once(address, () => channel);
      }
      case 'socket':
        if (address.type === 'fd') return once(address, () => descriptorChannel(this.#number(address.str), 'in'));
        return listenSocket(address);
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
function once(address: MigrationAddress, accept: () => MigrationChannel): MigrationListener {
  return { uri: formatMigrationAddress(address), accept: async () => accept(), close: async () => {} };
}
