/** How the vCPUs of a machine are grouped; the product of the parts is their number. */
export interface CpuTopology {
  readonly sockets: number;
  /** In a socket. */
  readonly cores: number;
  /** In a core. */
  readonly threads: number;
}

/** Where a vCPU is in the topology; each number counts from 0 inside what is around it. */
export interface CpuPlace {
  readonly socket: number;
  readonly core: number;
  readonly thread: number;
}

/** Place of the vCPU with an index: threads of a core come first, then cores of a socket. */
export function cpuPlace(index: number, { cores, threads }: CpuTopology): CpuPlace {
  const core = Math.floor(index / threads);
  return { socket: Math.floor(core / cores), core: core % cores, thread: index % threads };
}
