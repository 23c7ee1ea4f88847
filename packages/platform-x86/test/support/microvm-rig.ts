import type { IrqLine, VmStateTable } from '@sterna/core';
import { AcpiGed } from '../../src/acpi-ged/chip.ts';
import { acpiGedState } from '../../src/acpi-ged/state.ts';
import { apicState } from '../../src/apic/state.ts';
import { I8254 } from '../../src/i8254/chip.ts';
import { i8254State } from '../../src/i8254/state.ts';
import { I8259 } from '../../src/i8259/chip.ts';
import { i8259State } from '../../src/i8259/state.ts';
import { IoApic } from '../../src/ioapic/chip.ts';
import { ioapicState } from '../../src/ioapic/state.ts';
import { Mc146818Rtc } from '../../src/mc146818rtc/chip.ts';
import { setCmosRamSize } from '../../src/mc146818rtc/ram-size.ts';
import { mc146818rtcState } from '../../src/mc146818rtc/state.ts';
import { serialState } from '../../src/serial/state.ts';
import { Uart16550A } from '../../src/serial/uart-16550a.ts';
import { byteOps } from '../../src/support/byte-ops.ts';
import { ApicRig } from './apic-rig.ts';
import { loadState, saveState } from './codec.ts';
import { FakeChar, FakeRtcClock } from './fakes.ts';

/** The chips of a microvm, wired as the machine wires them, without CPU and memory. */
export class MicrovmRig extends ApicRig {
  readonly #gate = this.hooks.gate();
  readonly master: I8259;
  readonly slave: I8259;
  readonly ioapics: readonly IoApic[];
  readonly pit: I8254;
  readonly rtc: Mc146818Rtc;
  readonly uart: Uart16550A;
  readonly ged: AcpiGed;
  readonly rtcClock = new FakeRtcClock(0n);
  readonly char = new FakeChar();

  /** @param date What the real-time clock starts with, ns since 1970. */
  constructor(date: bigint, ramSize: number) {
    super(1);
    this.rtcClock.date = date;
    this.master = new I8259(true, this.bus.picLine, this.hooks.gate());
    this.slave = new I8259(false, { set: (level) => this.master.setInput(2, level) }, this.hooks.gate());
    this.master.attachSlave(this.slave);
    this.bus.attachPic(this.master);
    this.ioapics = [0, 1].map(() => new IoApic(0x20, this.bus, this.clock, this.hooks.gate()));
    this.pit = new I8254(this.#gsi(0), this.clock);
    this.rtc = new Mc146818Rtc(this.#gsi(8), this.rtcClock, 0);
    this.uart = new Uart16550A(this.#gsi(4), this.clock, this.char, 115200);
    this.ged = new AcpiGed(this.#gsi(9), {
      requestReset() {},
      requestShutdown() {},
      requestSuspend() {},
      requestWakeup() {},
      supportWakeup() {},
      requestExit() {},
    });
    setCmosRamSize(this.rtc, ramSize, 0);
    for (const chip of [this.master, this.slave, ...this.ioapics, this.pit, this.rtc, this.uart, this.ged])
      chip.reset();
    for (const ioapic of this.ioapics) ioapic.attach();
  }

  /** Past the wires, which pass changes only: QEMU's chips also see a level that is driven again. */
  #gsi(number: number): IrqLine {
    return {
      set: (level) => {
        if (this.#gate.loading) return;
        if (number < 8) this.master.setInput(number, level);
        else this.slave.setInput(number - 8, level);
        this.ioapics[0]!.setInput(number === 0 ? 2 : number, level);
      },
    };
  }

  /** Reads a port or, above 64 KiB, memory. */
  access(address: number, size: number): number {
    return this.#route(address).read(address, size);
  }

  /** Writes a port or memory. */
  poke(address: number, value: number, size: number): void {
    this.#route(address).write(address, value, size);
  }

  #route(address: number): {
    read(address: number, size: number): number;
    write(address: number, value: number, size: number): void;
  } {
    const bytes = (base: number, chip: { read(offset: number): number; write(offset: number, value: number): void }) =>
      byteOps(
        (offset) => chip.read(offset - base),
        (offset, value) => chip.write(offset - base, value),
      );
    if (address >= 0xfec00000) {
      const ioapic = this.ioapics[address >= 0xfec10000 ? 1 : 0]!;
      return {
        read: (at, size) => ioapic.read(at & 0xfff, size),
        write: (at, value, size) => ioapic.write(at & 0xfff, value, size),
      };
    }
    if (address >= 0x4d0) {
      const pic = address === 0x4d0 ? this.master : this.slave;
      return { read: () => pic.elcr, write: (_at, value) => pic.writeElcr(value) };
    }
    if (address >= 0x3f8) return bytes(0x3f8, this.uart);
    if (address >= 0xa0) return bytes(0xa0, this.slave);
    if (address >= 0x70) return bytes(0x70, this.rtc);
    if (address >= 0x40) return bytes(0x40, this.pit);
    return bytes(0x20, this.master);
  }

  /** Payloads of all sections by `name/instance`. */
  sections(): ReadonlyMap<string, Uint8Array> {
    return new Map(this.#parts().map(([name, table, dev]) => [name, saveState(table, dev)]));
  }

  /** Loads all sections, as a destination does. */
  load(sections: ReadonlyMap<string, Uint8Array>): void {
    this.hooks.setRunState('inmigrate');
    for (const [name, table, dev] of this.#parts()) loadState(table, dev, sections.get(name)!);
    this.hooks.setRunState('running');
  }

  #parts(): readonly (readonly [string, VmStateTable<object>, object])[] {
    const part = <D extends object>(name: string, table: VmStateTable<D>, dev: D) =>
      // The pair was checked here; from now on the device's type does not matter.
      [name, table as unknown as VmStateTable<object>, dev] as const;
    return [
      part('apic/0', apicState, this.apics[0]!),
      part('ioapic/0', ioapicState, this.ioapics[0]!),
      part('ioapic/1', ioapicState, this.ioapics[1]!),
      part('acpi-ged/0', acpiGedState, this.ged),
      part('i8259/0', i8259State, this.master),
      part('i8259/1', i8259State, this.slave),
      part('i8254/0', i8254State, this.pit),
      part('mc146818rtc/0', mc146818rtcState, this.rtc),
      part('serial/0', serialState, this.uart),
    ];
  }
}
