import { MEMORY_LAYOUT } from '@sterna/core';
import { type FuncRef, ModuleBuilder } from '@sterna/wasm';
import { INSTRUMENT_PAGES } from '../instrument/areas.ts';
import type { Micro } from '../semantics/micro.ts';
import type { RegionLinker } from './region-base.ts';
import type { RegionMachine } from './region-machine.ts';

/** A module of regions under construction. Functions of the interpreter are imported when they are first used. */
export class RegionModule implements RegionLinker {
  /** Where the functions' types are. */
  readonly builder = new ModuleBuilder();
  readonly #imports = new Map<Micro, FuncRef>();
  readonly #regions: RegionMachine[] = [];

  /** @param counts whether its regions count, in memory 1 */
  constructor(counts: boolean) {
    this.builder.names = false;
    this.builder.importMemory('env', 'memory', { min: Math.ceil(MEMORY_LAYOUT.ram / 65536), max: 65536, shared: true });
    if (counts) this.builder.importMemory('env', 'instrument', { min: INSTRUMENT_PAGES });
  }

  micro(fn: Micro): FuncRef {
    let f = this.#imports.get(fn);
    if (f === undefined) {
      f = this.builder.importFunction('core', fn.name, fn.params, fn.results);
      this.#imports.set(fn, f);
    }
    return f;
  }

  /** Adds a region; its function is exported under its number. */
  add(region: RegionMachine): void {
    this.#regions.push(region);
  }

  /** Bytes of all function bodies. */
  get size(): number {
    return this.#regions.reduce((n, r) => n + r.body.length, 0);
  }

  /** The binary module. */
  build(): Uint8Array<ArrayBuffer> {
    this.#regions.forEach((r, i) => {
      this.builder.define((index) => {
        r.index = index;
        return r;
      });
      this.builder.export(String(i), r);
    });
    return this.builder.build();
  }
}
