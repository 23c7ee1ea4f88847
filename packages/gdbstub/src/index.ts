export { GdbStub } from './gdb-stub.ts';
export { encodePacket, MAX_PACKET, type PacketEvent, PacketReader } from './packet.ts';
export type { GdbHost, GdbTarget } from './target.ts';
export { targetXml } from './target-xml.ts';
