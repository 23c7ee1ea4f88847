import { type HostFfi, hostFunctions } from '../ffi.ts';

/** Kind of handle that watches a descriptor (libuv's `uv_handle_type`). */
const UV_POLL = 8;

function open(ffi: HostFfi) {
  const { lib, functions } = ffi.dlopen(null, {
    dup: { arguments: ['i32'], return: 'i32' },
    recvmsg: { arguments: ['i32', 'buffer', 'i32'], return: 'i64' },
    uv_handle_size: { arguments: ['i32'], return: 'u64' },
    uv_poll_init: { arguments: ['pointer', 'buffer', 'i32'], return: 'i32' },
    uv_poll_start: { arguments: ['buffer', 'i32', 'pointer'], return: 'i32' },
    uv_poll_stop: { arguments: ['buffer'], return: 'i32' },
    uv_close: { arguments: ['buffer', 'pointer'], return: 'void' },
  });
  return {
    lib,
    call: functions,
    loop: ffi.getCurrentEventLoop(),
    pollSize: Number(functions.uv_handle_size(UV_POLL)),
    address: (buffer: ArrayBuffer) => ffi.getRawPointer(buffer),
  };
}

/** The few functions of the C library and of libuv that Node has no words for. */
export type HostLibrary = ReturnType<typeof open>;

/** Functions of the process itself; undefined where one of them is missing. */
export const hostLibrary: () => HostLibrary | undefined = hostFunctions(open);
