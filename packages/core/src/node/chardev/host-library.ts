import type { DynamicLibrary } from 'node:ffi';

/** Kind of handle that watches a descriptor (libuv's `uv_handle_type`). */
const UV_POLL = 8;

function open() {
  const ffi = process.getBuiltinModule('node:ffi');
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
    lib: lib as DynamicLibrary,
    call: functions,
    loop: ffi.getCurrentEventLoop(),
    pollSize: Number(functions.uv_handle_size(UV_POLL)),
    address: (buffer: ArrayBuffer) => ffi.getRawPointer(buffer),
  };
}

/** The few functions of the C library and of libuv that Node has no words for. */
export type HostLibrary = ReturnType<typeof open>;

let library: HostLibrary | undefined | null;

/**
 * Functions of the process itself, by `node:ffi`; undefined on hosts and Node releases that do not offer them. The
 * layouts that callers use are those of 64-bit Linux.
 */
export function hostLibrary(): HostLibrary | undefined {
  if (library === undefined) library = tryOpen();
  return library ?? undefined;
}

function tryOpen(): HostLibrary | null {
  if (process.platform !== 'linux' || (process.arch !== 'x64' && process.arch !== 'arm64')) return null;
  // That the interface is young is known; a notice on every start would be noise on people's terminals.
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return open();
  } catch {
    return null;
  } finally {
    process.emitWarning = emitWarning;
  }
}
