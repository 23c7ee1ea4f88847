import type { CpuBus } from '@sterna/core';
import type { X86Cpu } from '../cpu.ts';
import { EFER } from '../system/bits.ts';
import { X86Debug } from './x86-debug.ts';

/** Task priority as CR8 shows it. */
export interface TaskPriority {
  getTpr(): number;
  setTpr(value: number): void;
}

/** The debugging side of a processor in a machine. */
export function attachDebug(core: X86Cpu, bus: CpuBus, apic: TaskPriority): X86Debug {
  return new X86Debug({
    state: core.state,
    get rflags() {
      return core.rflags;
    },
    set rflags(value) {
      core.rflags = value;
    },
    get cr8() {
      return apic.getTpr();
    },
    set cr8(value) {
      apic.setTpr(value);
    },
    stateChanged: () => core.stateChanged(),
    peek(linear) {
      const halves: bigint[] = [];
      for (const offset of [0n, 4n]) {
        const at = debugAddress(core, linear + offset);
        if (at === undefined) return undefined;
        halves.push(BigInt(bus.mmioRead(at, 4)));
      }
      return halves[0]! | (halves[1]! << 32n);
    },
  });
}

/** Guest-physical address of a linear address as a debugger writes it; undefined when it is mapped nowhere. */
export function debugAddress(core: X86Cpu, address: bigint): number | undefined {
  const isLong = (core.state.getBig('efer') & BigInt(EFER.LMA)) !== 0n;
  if (!isLong) return core.translateDebug(BigInt.asUintN(32, address));
  const linear = BigInt.asIntN(48, address);
  return linear === BigInt.asIntN(64, address) ? core.translateDebug(BigInt.asUintN(64, linear)) : undefined;
}
