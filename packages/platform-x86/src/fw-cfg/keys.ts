/** Selector keys of fw_cfg items (QEMU docs/specs/fw_cfg.rst). */
export const FW_CFG = {
  SIGNATURE: 0x00,
  ID: 0x01,
  UUID: 0x02,
  RAM_SIZE: 0x03,
  NOGRAPHIC: 0x04,
  NB_CPUS: 0x05,
  MACHINE_ID: 0x06,
  KERNEL_ADDR: 0x07,
  KERNEL_SIZE: 0x08,
  KERNEL_CMDLINE: 0x09,
  INITRD_ADDR: 0x0a,
  INITRD_SIZE: 0x0b,
  BOOT_DEVICE: 0x0c,
  NUMA: 0x0d,
  BOOT_MENU: 0x0e,
  MAX_CPUS: 0x0f,
  KERNEL_ENTRY: 0x10,
  KERNEL_DATA: 0x11,
  INITRD_DATA: 0x12,
  CMDLINE_ADDR: 0x13,
  CMDLINE_SIZE: 0x14,
  CMDLINE_DATA: 0x15,
  SETUP_ADDR: 0x16,
  SETUP_SIZE: 0x17,
  SETUP_DATA: 0x18,
  FILE_DIR: 0x19,
  /** First selector of named files. */
  FILE_FIRST: 0x20,
  /** Named files that fit. */
  FILE_SLOTS: 0x20,
  /** x86: ACPI tables given by the user. */
  ACPI_TABLES: 0x8000,
  SMBIOS_ENTRIES: 0x8001,
  /** x86: interrupt 0 is wired to IO-APIC pin 2. */
  IRQ0_OVERRIDE: 0x8002,
  HPET: 0x8004,
} as const;

/** Architecture-local items have a name space of their own. */
export const ARCH_LOCAL = 0x8000;
/** Key bits that count: bit 15 picks the name space, bit 14 once meant writing. */
export const ENTRY_MASK = 0x3fff;
/** `cur_entry` when a key does not exist. */
export const INVALID = 0xffff;
/** Longest file name, with its NUL. */
export const FILE_NAME_SIZE = 56;

/** Control bits of a DMA request. */
export const DMA_ERROR = 0x01;
export const DMA_READ = 0x02;
export const DMA_SKIP = 0x04;
export const DMA_SELECT = 0x08;
export const DMA_WRITE = 0x10;
