/** Guest access to a region. Values are up to 32 bits; wider accesses arrive as two, low half first. */
export interface RegionOps {
  read(offset: number, size: number): number;
  write(offset: number, value: number, size: number): void;
}

/** A region that a device offers; the machine maps it at its bus address. */
export interface DeviceRegion extends RegionOps {
  readonly name: string;
  readonly space: 'mmio' | 'io';
  /** Bytes. */
  readonly size: number;
  /** For `isa`: where it is when the address does not say. */
  readonly defaultBase?: number;
}
