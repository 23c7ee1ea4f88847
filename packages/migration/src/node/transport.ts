import { SternaError } from '@sterna/core';
import type { MigrationChannel, MigrationListener, MigrationTransport } from '../transport/channel.ts';
import { formatMigrationAddress, type MigrationAddress } from '../transport/uri.ts';
import { descriptorChannel } from './descriptor.ts';
import { execChannel } from './exec.ts';
import { FileChannel } from './file.ts';
import { connectSocket, listenSocket } from './socket.ts';

/** Channels of this host: tcp, unix, fd, exec and file. */
export class NodeMigrationTransport implements MigrationTransport {
  readonly #descriptor: (name: string) => number | undefined;

  /** @param descriptor finds descriptors that were passed under a name; numbers are inherited ones */
  constructor(descriptor: (name: string) => number | undefined = () => undefined) {
    this.#descriptor = descriptor;
  }

  async connect(address: MigrationAddress, signal: AbortSignal): Promise<MigrationChannel> {
    switch (address.transport) {
      case 'exec':
        return execChannel(address.args, 'out');
      case 'file':
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
        const channel = await FileChannel.open(address.filename, address.offset);
        return once(address, () => channel);
      }
      case 'socket':
        if (address.type === 'fd') return once(address, () => descriptorChannel(this.#number(address.str), 'in'));
        return listenSocket(address);
    }
  }

  #number(name: string): number {
    const fd = this.#descriptor(name) ?? (/^\d+$/.test(name) ? Number(name) : undefined);
    if (fd !== undefined) return fd;
    throw new SternaError('STERNA_ERR_OPTION_VALUE', `no descriptor was passed under the name '${name}'`);
  }
}

/** A listener for what needs no waiting. */
function once(address: MigrationAddress, accept: () => MigrationChannel): MigrationListener {
  return { uri: formatMigrationAddress(address), accept: async () => accept(), close: async () => {} };
}
