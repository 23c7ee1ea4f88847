export type { ThreadTarget } from './channel-thread-messages.ts';
export { descriptorChannel } from './descriptor.ts';
export { DirectorySnapshotStore } from './directory-store.ts';
export { execChannel } from './exec.ts';
export { FileReader, openForWriting } from './file.ts';
export { listenDescriptor, listenSocket, type SocketAddress, socketChannel } from './socket.ts';
export { StreamChannel, type StreamChannelOptions } from './stream-channel.ts';
export { ThreadChannel } from './thread-channel.ts';
export { NodeMigrationTransport } from './transport.ts';
