/** A packet of a device's state (QEMU migration/multifd-device-state.c, v10.0). */
export interface StatePacket {
  /** Section of the device. */
  readonly idstr: string;
  readonly instanceId: number;
  readonly state: Uint8Array;
}
