import { createHash } from 'node:crypto';
import { type EventLoop, Machine, parseCpuModel, type TranslationOptions } from '@sterna/core';
import { assemble } from '@sterna/guests';
import { microvm } from '@sterna/machine-microvm';

/** Where all CPUs begin in the ROM, and where start-up interrupts send them. */
const ROM_BASE = 0xf_0000;
const ROM_SIZE = 0x1_0000;

/**
 * Brings a CPU into flat 32-bit mode with a stack of its own, its APIC on and its id in EDI, then to `bsp` or `ap`.
 * Helpers: `gate` (EAX vector, EDX handler), `start_aps`, `ipi` (EAX destination, EDX low half of the ICR), `rest`.
 */
const PRELUDE = `
bits 16
  cli
  o32 lgdt [cs:gdtr - ${ROM_BASE}]
  mov eax, cr0
  or al, 1
  mov cr0, eax
  jmp dword 8:flat
align 8
gdt: dq 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdtr: dw 23
  dd gdt
idtr: dw 0x7ff
  dd 0x10000
bits 32
flat:
  mov ax, 16
  mov ds, ax
  mov es, ax
  mov ss, ax
  mov edi, [0xfee00020]
  shr edi, 24
  mov esp, edi
  shl esp, 12
  add esp, 0x21000
  lidt [idtr]
  or dword [0xfee000f0], 0x1ff
  test edi, edi
  jz bsp
  jmp ap
gate:
  lea ebx, [0x10000 + eax * 8]
  mov [ebx], edx
  mov word [ebx + 2], 8
  mov [ebx + 4], edx
  mov word [ebx + 4], 0x8e00
  ret
start_aps:
  mov dword [0x8000], 0x000000ea
  mov byte [0x8004], 0xf0
  mov dword [0xfee00300], 0x000c4500
  mov dword [0xfee00300], 0x000c4608
  ret
ipi:
  shl eax, 24
  mov [0xfee00310], eax
  mov [0xfee00300], edx
  ret
; long enough for every other CPU to have had a turn
rest:
  push ecx
  mov ecx, 4000
.more:
  pause
  loop .more
  pop ecx
  ret
eoi:
  mov dword [0xfee000b0], 0
  ret
`;

/** A host without time of its own: callbacks run when the test says so. */
class StillLoop implements EventLoop {
  readonly #queue: (() => void)[] = [];
  soon(callback: () => void): void {
    this.#queue.push(callback);
  }
  after(): { cancel(): void } {
    return { cancel: () => {} };
  }
  /** Runs one callback; false when there is none. */
  step(): boolean {
    const next = this.#queue.shift();
    next?.();
    return next !== undefined;
  }
}

/** A microvm with several vCPUs that runs a ROM of our own; its course depends on nothing but its instructions. */
export class BareMachine {
  readonly machine: Machine;
  readonly #loop = new StillLoop();

  /**
   * @param source Assembly with the labels `bsp` and `ap`, after the prelude.
   * @param properties Further ones of the machine.
   */
  constructor(
    cpuCount: number,
    source: string,
    properties: Readonly<Record<string, string>> = {},
    translation?: TranslationOptions,
  ) {
    const rom = new Uint8Array(ROM_SIZE);
    rom.set(assemble(PRELUDE + source, { file: 'bare.asm', origin: ROM_BASE, bits: 16 }).bytes);
    rom.set([0xea, 0x00, 0x00, 0x00, 0xf0], 0xfff0);
    const { type, properties: cpuProperties } = parseCpuModel('qemu64', microvm.cpus);
    let ns = 0;
    this.machine = new Machine(
      {
        type: microvm.type,
        properties: { acpi: 'off', ...properties },
        cpu: type,
        cpuProperties,
        cpuCount,
        ...(translation === undefined ? {} : { translation }),
        ramSize: 2 ** 20,
        boot: { bios: rom, findFirmware: () => undefined },
        devices: [],
        chardevs: new Map(),
        serials: [],
        rtc: { source: 'vm', baseNs: 0n },
        icountShift: 0,
      },
      {
        clock: {
          monotonicNs: () => {
            ns += 100_000;
            return ns;
          },
          wallNs: () => 0n,
        },
        loop: this.#loop,
        entropy: { fill: (bytes) => void bytes.fill(0x5a) },
        files: { write: () => {}, append: () => {} },
        log: () => {},
        tscHz: 1e9,
      },
    );
    this.machine.start();
  }

  /** Runs until a word of RAM is not zero. @throws Error after `limit` instructions, or when every vCPU sleeps for ever */
  until(address: number, limit = 20_000_000): void {
    while (this.word(address) === 0) {
      if (!this.#loop.step()) throw new Error(`all asleep\n${this.describe()}`);
      if (this.executed > limit) throw new Error(`nothing after ${this.executed} instructions\n${this.describe()}`);
    }
  }

  /** Runs until every vCPU sleeps. When the loop gave way before that depends on the host's clock, which nothing else may. */
  untilAsleep(): void {
    const asleep = (): boolean => this.machine.cpus.every((cpu) => cpu.halted && !cpu.hasWork());
    for (let turns = 0; !asleep(); turns++)
      if (!this.#loop.step() || turns > 10_000) throw new Error(`somebody stays awake\n${this.describe()}`);
  }

  /** Runs at least `count` instructions. */
  forAtLeast(count: number): void {
    const end = this.executed + count;
    while (this.executed < end) if (!this.#loop.step()) throw new Error(`all asleep\n${this.describe()}`);
  }

  get executed(): number {
    return this.machine.loop.executed;
  }

  /** A word of RAM. */
  word(address: number): number {
    const { memory } = this.machine;
    return memory.u32[(memory.blocks[0]!.hostOffset + address) >>> 2]!;
  }

  /** RAM and all registers. */
  get state(): string {
    const { memory, cpus } = this.machine;
    return createHash('sha256')
      .update(memory.bytes(memory.blocks[0]!))
      .update(cpus.map((cpu) => cpu.describe()).join())
      .digest('hex');
  }

  describe(): string {
    return this.machine.cpus.map((cpu) => `CPU ${cpu.index}\n${cpu.describe().slice(0, 700)}`).join('\n');
  }
}
