import { type MachineBuilder, PowerButton } from '@sterna/core';
import {
  type AcpiGed,
  type ApicBus,
  acpiGed,
  type I8259,
  type IoApic,
  i8254,
  i8259,
  ioapic,
  isaSerial,
  type Mc146818Rtc,
  mc146818rtc,
  setCmosRamSize,
} from '@sterna/platform-x86';
import { MICROVM_GSI, MICROVM_MAP, MICROVM_PORTS, splitRam } from '../memory-map.ts';
import { GsiRouter, type InterruptInputs } from './interrupts.ts';
import type { MicrovmFeatures } from './properties.ts';

/** Makes the interrupt controllers and connects them to the CPUs. */
export function makeInterruptControllers(
  builder: MachineBuilder,
  features: MicrovmFeatures,
  apicBus: ApicBus,
): GsiRouter {
  const addresses = [MICROVM_MAP.ioapic, MICROVM_MAP.ioapic2].slice(0, features.ioapics);
  const ioapics = addresses.map((mmio) => builder.device(ioapic({ at: { mmio } })).state as IoApic);
  const router = new GsiRouter({ pic: features.pic ? makePic(builder, apicBus) : undefined, ioapics });
  builder.setIrqRouter((gsi) => router.line(gsi));
  return router;
}

function makePic(builder: MachineBuilder, apicBus: ApicBus): InterruptInputs {
  const master = builder.device(i8259({ at: { iobase: [MICROVM_PORTS.pic, 0x4d0] }, master: true }), {
    irqs: [apicBus.picLine],
  }).state as I8259;
  const slave = builder.device(i8259({ at: { iobase: [0xa0, 0x4d1] }, master: false }), { irqs: [master.input(2)] })
    .state as I8259;
  master.attachSlave(slave);
  apicBus.attachPic(master);
  return { input: (n) => (n < 8 ? master.input(n) : slave.input(n - 8)) };
}

/** Makes event device, timers, clock and serial port. */
export function makeLegacyDevices(
  builder: MachineBuilder,
  router: GsiRouter,
  features: MicrovmFeatures,
  serial: boolean,
): void {
  const isa = (port: number, gsi: number) => ({ at: { iobase: port }, irqs: [router.line(gsi)] });
  if (features.pit) {
    const { at, irqs } = isa(MICROVM_PORTS.pit, MICROVM_GSI.pit);
    builder.device(i8254({ at }), { irqs });
  }
  if (features.rtc) {
    const { at, irqs } = isa(MICROVM_PORTS.rtc, MICROVM_GSI.rtc);
    const rtc = builder.device(mc146818rtc({ at, base_year: 2000 }), { irqs }).state as Mc146818Rtc;
    const { below4g, above4g } = splitRam(builder.ramSize);
    setCmosRamSize(rtc, below4g, above4g);
  }
  const chardev = builder.serials[0];
  if (serial && chardev !== undefined) {
    const { at, irqs } = isa(MICROVM_PORTS.serial, MICROVM_GSI.serial);
    builder.device(isaSerial({ at, chardev }), { irqs });
  }
}

/** Makes the generic event device, through which the power button reaches the guest. */
export function makeGed(builder: MachineBuilder, router: GsiRouter): void {
  const spec = acpiGed({ at: { mmio: [MICROVM_MAP.ged, MICROVM_MAP.gedRegisters] } });
  const ged = builder.device(spec, { irqs: [router.line(MICROVM_GSI.ged)] }).state as AcpiGed;
  builder.scope.provide(PowerButton, ged);
}
