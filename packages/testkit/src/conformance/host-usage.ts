/** What the host can say of the use of its memory and processors; nothing where it says nothing. */

interface HostProcess {
  memoryUsage?(): { readonly arrayBuffers: number };
  cpuUsage?(): { readonly user: number; readonly system: number };
}

const host = (globalThis as { process?: HostProcess }).process;

/** A device that needs more memory than this for one thing believes a length that it should not. */
export const MEMORY_LIMIT: number = 256 << 20;

/** Bytes held outside of the JavaScript heap. */
export function bufferBytes(): number {
  return host?.memoryUsage?.().arrayBuffers ?? 0;
}

/** Processor time used so far in ms. Unlike a clock it stands still while the host does something else. */
export function processorMs(): number {
  const { user, system } = host?.cpuUsage?.() ?? { user: 0, system: 0 };
  return (user + system) / 1000;
}
