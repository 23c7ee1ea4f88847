/** Register that reads {@link MAGIC}; this and the next as virtio 1.2 §4.2.2, the legacy ones §4.2.4. */
export const MAGIC_VALUE = 0x000;
/** Register with the transport's version. */
export const VERSION = 0x004;
/** Register with the device's type; 0 where there is none. */
export const DEVICE_ID = 0x008;
/** Register that reads {@link VENDOR}. */
export const VENDOR_ID = 0x00c;
/** Start of the device's configuration space. */
export const CONFIG = 0x100;

/** "virt", little-endian. */
export const MAGIC = 0x7472_6976;
/** "QEMU": guests tell the vendor's quirks by it. */
export const VENDOR = 0x554d_4551;
/** Version of a transport as it was before virtio 1.0. */
export const VERSION_LEGACY = 1;
/** Version of a transport since virtio 1.0. */
export const VERSION_MODERN = 2;
/** Bytes of a transport. */
export const TRANSPORT_SIZE = 0x200;
