import { type Service, service } from '../container/service.ts';
import type { ShutdownCause, WakeupReason } from './run-state.ts';

/** What a device may ask of its machine. Requests take effect between instructions. */
export interface MachineControl {
  /** Guest asked for a reset, or a device's reset pin was pulled. */
  requestReset(cause: ShutdownCause): void;
  /** Guest powered off. */
  requestShutdown(cause: ShutdownCause): void;
  /** Guest went to sleep (ACPI S3): vCPUs stop, time and timers go on. */
  requestSuspend(): void;
  /** Something a sleeping guest is to be woken by has happened; a guest that is awake does not notice. */
  requestWakeup(reason: WakeupReason): void;
  /** This platform can be woken: `wake` does what its power-on reset from S3 does, before vCPUs go on. */
  supportWakeup(wake: (reason: WakeupReason) => void): void;
  /** Ends the process with this code, as `isa-debug-exit` does. */
  requestExit(code: number): void;
}
/** The machine's reset and power switch. */
export const MachineControl: Service<MachineControl> = service('MachineControl');

/** Somebody who is told that the power button was pressed. */
export interface PowerButton {
  pressed(): void;
}
/** Contribution point: devices that forward the power button to the guest. */
export const PowerButton: Service<PowerButton> = service('PowerButton');

/** Somebody who passes a non-maskable interrupt from outside on to a vCPU. */
export interface NmiInput {
  nmi(): void;
}
/** Contribution point: what `inject-nmi` reaches. */
export const NmiInput: Service<NmiInput> = service('NmiInput');

/** Device logger. `guestError` is for guests that break the device's rules: counted, and printed at a bounded rate. */
export interface Logger {
  info(text: string): void;
  warn(text: string): void;
  guestError(text: string): void;
}
/** Logger with the device's name. */
export const Logger: Service<Logger> = service('Logger');

/** Injected entropy: devices never call a host generator. */
export interface Entropy {
  fill(bytes: Uint8Array): void;
}
/** The machine's source of randomness. */
export const Entropy: Service<Entropy> = service('Entropy');

/** Files of the host, for devices that mirror or log. */
export interface HostFiles {
  write(path: string, bytes: Uint8Array): void;
  append(path: string, bytes: Uint8Array): void;
}
/** Host file access. */
export const HostFiles: Service<HostFiles> = service('HostFiles');
