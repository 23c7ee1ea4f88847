export { descriptorChannel } from './descriptor.ts';
export { execChannel } from './exec.ts';
export { FileChannel } from './file.ts';
export { connectSocket, listenDescriptor, listenSocket, socketChannel } from './socket.ts';
export { StreamChannel } from './stream-channel.ts';
export { NodeMigrationTransport } from './transport.ts';
