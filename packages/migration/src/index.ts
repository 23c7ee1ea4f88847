export * from './capabilities.ts';
export * from './controller.ts';
export * from './dirty-limit/dirty-limits.ts';
export type { DirtyingCpus } from './dirty-limit/dirtying-cpus.ts';
export * from './dirty-rate/dirty-rate-meter.ts';
export * from './dirty-rate/types.ts';
export * from './errors.ts';
export * from './host.ts';
export * from './info.ts';
export * from './inspect/index.ts';
export * from './machine-host.ts';
export type { FileInput, FileOutput } from './mapped-ram/file.ts';
export type { FileTarget, MappedPlace, MappedPlan } from './mapped-ram/target.ts';
export type { MultifdInput, Reached } from './multifd/incoming.ts';
export { InlineInput } from './multifd/inline-input.ts';
export type { ReceivedBlock, ReceivePlan } from './multifd/packet-reader.ts';
export type { Hello, MultifdCompression, StateHeader } from './multifd/packets.ts';
export type { PacketTarget, PayloadCodecs, PayloadDecoder, PayloadEncoder, SharePlan } from './multifd/page-method.ts';
export type { ShareBudget, SharedPages, ShareWorker } from './multifd/page-share.ts';
export type { StateTaker } from './multifd/receiver.ts';
export type { StatePacket } from './multifd/state-packet.ts';
export * from './pace.ts';
export * from './parameters.ts';
export { bufferAreaSize } from './ram/blocks.ts';
export { ramKernel } from './ram/kernel.ts';
export type { RamKernel } from './ram/kernel-instance.ts';
export type {
  MarkedBlock,
  PageBudget,
  PagePlan,
  PageSender,
  RamSectionKind,
  SentPages,
  XbzrleSent,
  XbzrleTurn,
} from './ram/page-sender.ts';
export type { XbzrleCacheStats, XbzrleCounters } from './ram/xbzrle-counters.ts';
export { GlobalState, globalStateTable } from './sections/global-state.ts';
export type { SnapshotHost } from './snapshot/host.ts';
export * from './snapshot/machine-snapshots.ts';
export * from './snapshot/snapshots.ts';
export * from './snapshot/store.ts';
export type { MigrationStatus } from './status.ts';
export { COMMAND, RAM_FLAG, SECTION } from './stream/constants.ts';
export { ByteCursor, ByteSink } from './stream/cursor.ts';
export { StreamReader } from './stream/reader.ts';
export { type ByteOutput, StreamWriter } from './stream/writer.ts';
export type { TlsClientSetup } from './tls/channel-setup.ts';
export type { TlsRequest } from './tls/request.ts';
export * from './trace/index.ts';
export * from './transport/channel.ts';
export { channelPair } from './transport/pipe.ts';
export * from './transport/uri.ts';
export * from './vmstate/decode.ts';
export * from './vmstate/describe.ts';
export * from './vmstate/diff.ts';
export * from './vmstate/dump.ts';
export * from './vmstate/dump-reader.ts';
export { loadVmState } from './vmstate/load.ts';
export { saveVmState } from './vmstate/save.ts';
export * from './wire.ts';
