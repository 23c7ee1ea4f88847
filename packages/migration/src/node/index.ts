export { descriptorChannel } from './descriptor.ts';
export { execChannel } from './exec.ts';
export { FileChannel } from './file.ts';
export { connectSocket, listenDescriptor, listenSocket, type SocketAddress, socketChannel } from './socket.ts';
export { StreamChannel, type StreamChannelOptions } from './stream-channel.ts';
export { NodeMigrationTransport } from './transport.ts';
