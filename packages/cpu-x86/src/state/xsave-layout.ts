/** State components that exist: x87, and XMM registers with MXCSR (SDM volume 1, 13.1). */
export const Component = { X87: 1, SSE: 2 } as const;
/** Bits of XCR0 that can be set. */
export const COMPONENTS: bigint = BigInt(Component.X87 | Component.SSE);
/** Offsets of the XSAVE header after the 512 bytes of FXSAVE, and the size of the area for all components. */
export const XSAVE_HEADER = { stateBv: 512, compBv: 520, reserved: 528, size: 576 } as const;
