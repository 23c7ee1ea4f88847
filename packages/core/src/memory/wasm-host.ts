/**
 * The part of the JavaScript WebAssembly API that Sterna uses. TypeScript has these types only in its DOM library,
 * which must not leak into packages that run anywhere.
 */
export interface WasmMemory {
  readonly buffer: SharedArrayBuffer;
}
/** A compiled module. */
export type WasmModule = object;
/** A table of functions. */
export interface WasmTable {
  readonly length: number;
  get(index: number): unknown;
  set(index: number, value: unknown): void;
  grow(delta: number): number;
}
/** A module with its imports. */
export interface WasmInstance {
  readonly exports: Readonly<Record<string, unknown>>;
}
/** Imports by module and name. */
export type WasmImports = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** The host's WebAssembly object. */
export interface WasmHost {
  readonly Memory: new (descriptor: { initial: number; maximum: number; shared: true }) => WasmMemory;
  readonly Table: new (descriptor: { element: 'anyfunc'; initial: number; maximum?: number }) => WasmTable;
  readonly Module: {
    new (bytes: Uint8Array): WasmModule;
    /** Contents of the custom sections of a name. */
    customSections(module: WasmModule, name: string): ArrayBuffer[];
  };
  readonly Instance: new (module: WasmModule, imports: WasmImports) => WasmInstance;
  compile(bytes: Uint8Array): Promise<WasmModule>;
  validate(bytes: Uint8Array): boolean;
}

/** WebAssembly of this host. */
export const wasmHost: WasmHost = (globalThis as unknown as { readonly WebAssembly: WasmHost }).WebAssembly;
