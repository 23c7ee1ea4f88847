/** Functions of the C library that Node has no words for. Layouts and constants are those of 64-bit Linux. */
export interface HostLibrary {
  fcntl(fd: number, command: number, flock: ArrayBuffer): number;
  fallocate(fd: number, mode: number, offset: bigint, length: bigint): number;
}

let library: HostLibrary | null | undefined;

/** The library by `node:ffi`; undefined on hosts and Node releases that do not offer it. */
export function hostLibrary(): HostLibrary | undefined {
  library ??= tryOpen();
  return library ?? undefined;
}

function tryOpen(): HostLibrary | null {
  if (process.platform !== 'linux' || (process.arch !== 'x64' && process.arch !== 'arm64')) return null;
  // That the interface is young is known; a notice on every start would be noise on people's terminals.
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    const ffi = process.getBuiltinModule('node:ffi');
    const { functions } = ffi.dlopen(null, {
      fcntl: { arguments: ['i32', 'i32', 'buffer'], return: 'i32' },
      fallocate: { arguments: ['i32', 'i32', 'i64', 'i64'], return: 'i32' },
    });
    return functions as unknown as HostLibrary;
  } catch {
    return null;
  } finally {
    process.emitWarning = emitWarning;
  }
}
