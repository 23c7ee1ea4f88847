import { setFlagsFromString } from 'node:v8';
import type { WasmHost, WasmModule } from '@sterna/core';
import { readInterpreter } from './interpreter-file.ts';

/** Calls of the interpreter's main function after which V8 optimizes it when its count starts so low, and V8's own count. */
const CALLS = 1200;
const LOW_COUNT = 100_000;
const USUAL_COUNT = 13_000_000;
/** Functions that the module's table may have. */
const TABLE = 1 << 14;
/** Pages of an address space that is all zero and takes no memory. */
const PAGES = 1 << 16;

/** What keeps V8 from forgetting the code. */
let warm: WasmModule | undefined;

/**
 * Has V8 optimize the interpreter's main function while the process still loads its programs; the function is so large that
 * this takes half a second, in which a guest would run at a third of its speed. Nothing happens when the interpreter was never
 * printed before.
 *
 * V8 has no request for that: it optimizes what is called often. So the function is called with nothing to do, which costs
 * milliseconds. V8 knows a module again by its bytes, and those who make one of the same later share the code.
 */
export function warmInterpreter(): void {
  const bytes = readInterpreter();
  if (bytes === undefined) return;
  // core's own entry would load all of core
  const { Instance, Memory, Module, Table } = (globalThis as unknown as { WebAssembly: WasmHost }).WebAssembly;
  const memory = new Memory({ initial: PAGES, maximum: PAGES, shared: true });
  const table = new Table({ element: 'anyfunc', initial: TABLE });
  const imports = new Proxy<Record<string, unknown>>(
    { memory, table },
    { get: (own, name) => own[String(name)] ?? (() => 0) },
  );
  setFlagsFromString(`--wasm-tiering-budget=${LOW_COUNT}`);
  try {
    warm = new Module(bytes);
    const run = new Instance(warm, { env: imports }).exports['run'] as () => number;
    // an empty machine has no instructions to spend: this ends at once
    for (let i = 0; i < CALLS; i++) run();
  } finally {
    setFlagsFromString(`--wasm-tiering-budget=${USUAL_COUNT}`);
  }
}
