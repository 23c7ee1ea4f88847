/** Node's interface to functions of libraries. */
export type HostFfi = NonNullable<ReturnType<typeof process.getBuiltinModule<'node:ffi'>>>;

let loaded: HostFfi | null | undefined;

/**
 * Calls into the process's own C library (`node:ffi`), for the few things that Node has no words for; undefined on hosts
 * and Node releases that do not offer it. Callers may rely on the layouts and constants of 64-bit Linux.
 */
export function hostFfi(): HostFfi | undefined {
  if (loaded === undefined) loaded = tryLoad();
  return loaded ?? undefined;
}

function load() {
  return process.getBuiltinModule('node:ffi');
}

function tryLoad(): HostFfi | null {
  if (process.platform !== 'linux' || (process.arch !== 'x64' && process.arch !== 'arm64')) return null;
  // That the interface is young is known; a notice on every start would be noise on people's terminals.
  const { emitWarning } = process;
  process.emitWarning = () => {};
  try {
    return load() ?? null;
  } catch {
    return null;
  } finally {
    process.emitWarning = emitWarning;
  }
}

/**
 * A way to functions of the host that are looked up on first use and then kept: `open` says which. It answers undefined where
 * {@link hostFfi} does, and where one of them is missing.
 */
export function hostFunctions<T>(open: (ffi: HostFfi) => T): () => T | undefined {
  let functions: T | null | undefined;
  return () => {
    if (functions === undefined) functions = tryOpen(open);
    return functions ?? undefined;
  };
}

function tryOpen<T>(open: (ffi: HostFfi) => T): T | null {
  const ffi = hostFfi();
  if (ffi === undefined) return null;
  try {
    return open(ffi);
  } catch {
    return null;
  }
}
