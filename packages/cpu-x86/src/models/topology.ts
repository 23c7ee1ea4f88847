import { type CpuTopology, cpuPlace } from '@sterna/core';

/** Bits that number `count` things. */
function bitsFor(count: number): number {
  return count <= 1 ? 0 : 32 - Math.clz32(count - 1);
}

/** Fields of an APIC id, from the lowest bit up: thread, core, socket (SDM vol. 3A §9.9.1). */
export interface ApicIdFields {
  /** Bits of the thread's number: the core's number starts here. */
  readonly coreShift: number;
  /** Bits below the socket's number. */
  readonly packageShift: number;
}

/** How wide the fields of APIC ids are. */
export function apicIdFields({ cores, threads }: CpuTopology): ApicIdFields {
  const coreShift = bitsFor(threads);
  return { coreShift, packageShift: coreShift + bitsFor(cores) };
}

/** APIC id of the vCPU with an index. */
export function apicIdOf(index: number, topology: CpuTopology): number {
  const { socket, core, thread } = cpuPlace(index, topology);
  const { coreShift, packageShift } = apicIdFields(topology);
  return thread + (core << coreShift) + (socket << packageShift);
}
