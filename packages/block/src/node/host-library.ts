import { type HostFfi, hostFfi } from '@sterna/core/node';

function open(ffi: HostFfi) {
  return ffi.dlopen(null, {
    fcntl: { arguments: ['i32', 'i32', 'buffer'], return: 'i32' },
    fallocate: { arguments: ['i32', 'i32', 'i64', 'i64'], return: 'i32' },
  }).functions;
}

/** Functions of the C library for files. */
export type HostLibrary = ReturnType<typeof open>;

let library: HostLibrary | null | undefined;

/** The library; undefined on hosts and Node releases that do not offer it. */
export function hostLibrary(): HostLibrary | undefined {
  if (library === undefined) library = tryOpen();
  return library ?? undefined;
}

function tryOpen(): HostLibrary | null {
  const ffi = hostFfi();
  if (ffi === undefined) return null;
  try {
    return open(ffi);
  } catch {
    return null;
  }
}
