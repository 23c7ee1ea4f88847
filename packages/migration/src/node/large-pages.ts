import { hostFunctions } from '@sterna/core/node';

/** MADV_HUGEPAGE of madvise(2). */
const WANT_LARGE_PAGES = 14;
/** Bytes of the host's pages, and of its large ones (x86-64, and arm64 as it is usually set up). */
const PAGE = 4096;
const LARGE_PAGE = 2 ** 21;

const library = hostFunctions((ffi) => {
  const { lib, functions } = ffi.dlopen(null, { madvise: { arguments: ['u64', 'u64', 'i32'], return: 'i32' } });
  return { lib, advise: functions.madvise, address: (buffer: ArrayBuffer) => ffi.getRawPointer(buffer) };
});

/**
 * Asks the host for large pages where much memory is about to be filled: making it present in small ones takes longer than
 * filling it. QEMU asks for them for all of a guest's RAM. A host that has none, or does not listen, does without.
 */
export function wantLargePages(memory: Uint8Array): void {
  if (memory.length < LARGE_PAGE) return;
  const found = library();
  if (found === undefined) return;
  // It takes shared memory too.
  const at = found.address(memory.buffer as ArrayBuffer) + BigInt(memory.byteOffset);
  if (at % BigInt(PAGE) === 0n) found.advise(at, BigInt(memory.length), WANT_LARGE_PAGES);
}
