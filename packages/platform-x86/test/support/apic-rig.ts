import { ApicBus, type PicAcknowledge } from '../../src/apic/apic-bus.ts';
import type { CpuPort } from '../../src/apic/cpu-port.ts';
import { LocalApic } from '../../src/apic/local-apic.ts';
import { FakeClock, FakeHooks } from './fakes.ts';

/** A CPU that writes down what its APIC asks for. */
export class FakeCpu implements CpuPort {
  line = false;
  readonly requests: string[] = [];

  setInterruptLine(level: boolean): void {
    this.line = level;
  }
  nmi(): void {
    this.requests.push('nmi');
  }
  smi(): void {
    this.requests.push('smi');
  }
  init(): void {
    this.requests.push('init');
  }
  sipi(vector: number): void {
    this.requests.push(`sipi ${vector}`);
  }
}

/** An 8259 whose output tests set. */
export class FakePic implements PicAcknowledge {
  output = false;
  vector = 0x20;

  readIrq(): number {
    return this.vector;
  }
}

/** CPUs with their APICs on one bus. */
export class ApicRig {
  current = 0;
  readonly clock = new FakeClock();
  readonly hooks = new FakeHooks();
  readonly bus = new ApicBus(() => this.current);
  readonly pic = new FakePic();
  readonly cpus: FakeCpu[] = [];
  readonly apics: LocalApic[] = [];

  constructor(count: number) {
    this.bus.attachPic(this.pic);
    for (let index = 0; index < count; index++) {
      const cpu = new FakeCpu();
      const apic = new LocalApic(index, index, cpu, this.bus, this.clock, this.hooks.gate());
      this.bus.attachApic(apic);
      this.cpus.push(cpu);
      this.apics.push(apic);
    }
    for (const apic of this.apics) apic.reset();
  }

  /** Reads a register of the current CPU by its offset. */
  read(offset: number): number {
    return this.bus.region.read(offset, 4);
  }

  write(offset: number, value: number): void {
    this.bus.region.write(offset, value, 4);
  }

  setPic(level: boolean): void {
    this.pic.output = level;
    this.bus.picLine.set(level);
  }

  /** Software-enables every APIC. */
  enable(): void {
    for (let index = 0; index < this.apics.length; index++) {
      this.current = index;
      this.write(0xf0, 0x1ff);
    }
    this.current = 0;
  }
}
