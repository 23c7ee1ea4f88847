import { MEMORY_LAYOUT, PAGE_MAP_READ, PAGE_MAP_WRITE, type WasmMemory, wasmHost } from '@sterna/core';
import { type CpuHost, X86Cpu, X86Engine } from '../src/index.ts';

/** A machine without devices: `ramSize` bytes of RAM at physical 0, and a CPU in reset-like 64-bit flat state. */
export class Rig {
  readonly memory: WasmMemory;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly cpu: X86Cpu;

  constructor(ramSize = 1 << 20, host: Partial<CpuHost> = {}, makeEngine?: (memory: WasmMemory) => X86Engine) {
    const pages = (MEMORY_LAYOUT.ram + ramSize) >>> 16;
    this.memory = new wasmHost.Memory({ initial: pages, maximum: pages, shared: true });
    this.bytes = new Uint8Array(this.memory.buffer);
    this.view = new DataView(this.memory.buffer);
    for (let p = 0; p < ramSize; p += 4096) this.map(p, p);
    const floating = (): never => {
      throw new Error('no device there');
    };
    const cpuHost: CpuHost = {
      mmioRead: () => 0xffffffff | 0,
      mmioWrite: () => {},
      pioRead: floating,
      pioWrite: floating,
      acknowledge: () => -1,
      cr8Read: () => 0,
      cr8Write: () => {},
      apicBaseRead: () => 0xfee00900 | 0,
      apicBaseWrite: () => true,
      apicMsrRead: () => false,
      apicMsrWrite: () => false,
      armDeadline: () => {},
      deadlinePending: () => false,
      ...host,
    };
    this.cpu = new X86Cpu(
      this.memory,
      cpuHost,
      undefined,
      () => makeEngine?.(this.memory) ?? new X86Engine(this.memory),
    );
  }

  /** Maps a guest-physical page to an offset in RAM. */
  map(physical: number, ram: number, bits = PAGE_MAP_READ | PAGE_MAP_WRITE): void {
    this.view.setUint32(MEMORY_LAYOUT.pageMap + (physical >>> 12) * 4, (MEMORY_LAYOUT.ram + ram) | bits, true);
  }

  /** Host address of a RAM offset. */
  at(ram: number): number {
    return MEMORY_LAYOUT.ram + ram;
  }

  /** Flat segments for a mode; CPL 0 unless given. Paging is off: linear addresses are physical. */
  mode(bits: 16 | 32 | 64, cpl = 0): void {
    const { state } = this.cpu;
    state.setBig('cr0', 0x80050033n & ~0x80000000n);
    state.setBig('cr4', 0x600n);
    state.setBig('efer', bits === 64 ? 0x500n : 0n);
    const dpl = cpl << 13;
    for (let s = 0; s < 6; s++) {
      const type = s === 1 ? 0x9b00 : 0x9300;
      state.set('segSel', s === 1 ? 0x10 | cpl : 0x18 | cpl, s);
      state.setBig('segBase', 0n, s);
      state.set('segLimit', 0xffffffff, s);
      state.set(
        'segFlags',
        type | dpl | 0x800000 | (bits === 64 && s === 1 ? 0x200000 : bits === 16 ? 0 : 0x400000),
        s,
      );
    }
    state.set('a20Mask', 0xffffffff);
    state.set('eflags', 2);
    this.cpu.stateChanged();
  }
}
