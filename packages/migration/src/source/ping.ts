/** PING payload sent right after the return path was opened; QEMU uses 1. */
export const COMMAND_PING_SETUP: Uint8Array = Uint8Array.of(0, 0, 0, 1);
