import { type HostFfi, hostFunctions } from '@sterna/core/node';

function open(ffi: HostFfi) {
  return ffi.dlopen(null, {
    fcntl: { arguments: ['i32', 'i32', 'buffer'], return: 'i32' },
    fallocate: { arguments: ['i32', 'i32', 'i64', 'i64'], return: 'i32' },
  }).functions;
}

/** Functions of the C library for files. */
export type HostLibrary = ReturnType<typeof open>;

/** The library; undefined on hosts and Node releases that do not offer it. */
export const hostLibrary: () => HostLibrary | undefined = hostFunctions(open);
