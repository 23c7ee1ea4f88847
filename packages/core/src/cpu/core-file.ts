/** A note of a core file. */
export interface CoreNote {
  readonly name: string;
  readonly type: number;
  readonly bytes: Uint8Array;
}

/** A range of linear addresses that page tables map to consecutive physical ones. */
export interface LinearRange {
  readonly virtual: bigint;
  readonly physical: number;
  readonly length: number;
}

/** What a vCPU tells for a core file. */
export interface CpuCoreFile {
  /** ELF's number of the machine (e_machine), as the vCPU runs now. */
  readonly machine: number;
  /**
   * Its state as a debugger of processes wants it (NT_PRSTATUS), and all of it in the form of QEMU.
   *
   * @param machine The file's number of the machine, which is the first vCPU's.
   */
  notes(machine: number): { readonly status: CoreNote; readonly full: CoreNote };
  /**
   * What its page tables map, ascending; undefined without paging.
   *
   * @param isMemory Whether there is RAM or ROM; pages of devices are left out.
   */
  mappings(isMemory: (physical: number) => boolean): readonly LinearRange[] | undefined;
}
