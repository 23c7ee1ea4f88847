export * from './block/block-backend.ts';
export * from './block/block-io.ts';
export * from './block/define-block-driver.ts';
export * from './block/permissions.ts';
export * from './chardev/char-backend.ts';
export * from './chardev/char-mux.ts';
export * from './chardev/chardev-spec.ts';
export * from './chardev/null-backend.ts';
export * from './chardev/option-list.ts';
export * from './chardev/ringbuf-backend.ts';
export { Scope } from './container/container.ts';
export * from './container/service.ts';
export * from './cpu/core-file.ts';
export * from './cpu/cpu-debug.ts';
export * from './cpu/cpu-model.ts';
export * from './cpu/define-cpu.ts';
export * from './cpu/instrumentation.ts';
export * from './cpu/register-view.ts';
export * from './cpu/topology.ts';
export * from './cpu/translation.ts';
export * from './device/define-device.ts';
export type { DeviceInstance } from './device/device-instance.ts';
export * from './device/properties.ts';
export * from './device/region.ts';
export * from './device/registers.ts';
export * from './errors.ts';
export {
  type AsyncTap,
  type BailTap,
  Hooks,
  type MachineHooks,
  type SyncTap,
  type WaterfallTap,
} from './hooks/hooks.ts';
export * from './irq/irq.ts';
export type { BlockerList } from './machine/blockers.ts';
export { type CoreDumpOptions, type CorePlan, planCoreDump } from './machine/core-file/core-dump.ts';
export * from './machine/debugger.ts';
export * from './machine/define-machine.ts';
export * from './machine/define-machine-type.ts';
export * from './machine/event-loop.ts';
export * from './machine/jobs.ts';
export type { LogSink } from './machine/log.ts';
export * from './machine/machine.ts';
export * from './machine/migration-policy.ts';
export * from './machine/migration-services.ts';
export type { NotifierList } from './machine/notifiers.ts';
export type { RunLoop } from './machine/run-loop.ts';
export * from './machine/run-state.ts';
export type { SavableSection } from './machine/sections.ts';
export * from './machine/services.ts';
export * from './machine/snapshot-services.ts';
export * from './memory/address-space.ts';
export type { SystemBus } from './memory/buses.ts';
export * from './memory/dma.ts';
export * from './memory/layout.ts';
export * from './memory/machine-memory.ts';
export * from './memory/ram-block.ts';
export * from './memory/wasm-host.ts';
export * from './objects/index.ts';
export * from './options/keyval.ts';
export * from './plugin/check-plugin.ts';
export * from './plugin/define-plugin.ts';
export * from './plugin/registry.ts';
export * from './time/clock.ts';
export type { MachineClock, SliceCpu } from './time/machine-clock.ts';
export type { TimerQueue } from './time/timers.ts';
export * from './vmstate/index.ts';
