import { type DeviceType, defineMachineType, type MachineBuilder } from '@sterna/core';
import { x86Cpu, x86Cpus } from '@sterna/cpu-x86';
import {
  buildAcpi,
  FwCfg,
  type FwCfgDevice,
  fwCfg,
  isaDebugcon,
  isaDebugExit,
  isaSerial,
  pcTestdev,
  placeAcpi,
} from '@sterna/platform-x86';
import { applyBootState } from './boot/boot-state.ts';
import { flattenTree, microvmTree } from './boot/device-tree.ts';
import { type DirectBoot, planDirectBoot } from './boot/direct-boot.ts';
import { type FirmwareBoot, planFirmwareBoot } from './boot/fw-cfg-boot.ts';
import { DIRECT_LAYOUT } from './boot/guest-layout.ts';
import { type KernelImage, parseKernel } from './boot/kernel-image.ts';
import { AcpiBlocks } from './machine/acpi-blocks.ts';
import { chooseBootPath, optionRom } from './machine/boot-path.ts';
import { makeGed, makeInterruptControllers, makeLegacyDevices } from './machine/chipset.ts';
import { makeCpus, type X86VCpu } from './machine/cpus.ts';
import { addKernelContent, addMachineContent, addOptionRom } from './machine/fw-cfg-content.ts';
import { fillBlock, mapFirmware, mapRam, writeGuest } from './machine/physical-memory.ts';
import { MICROVM_PROPERTIES, type MicrovmProperties, microvmFeatures } from './machine/properties.ts';
import { makeTransports, populatedTransports, transportParameters } from './machine/transports.ts';
import { makeUserDevices } from './machine/user-devices.ts';
import { sectionOrder, WIRE_GENERATIONS } from './machine/wire.ts';
import { MICROVM_GSI, MICROVM_PORTS, transportMap } from './memory-map.ts';

/** QEMU's name for a kernel in a multiboot command line is its path, which a machine does not know. */
const KERNEL_NAME = 'kernel';
const DEVICES: readonly DeviceType[] = [isaSerial, isaDebugExit, isaDebugcon, pcTestdev];

/**
 * QEMU's `microvm`: a minimal x86-64 machine without PCI. Its address map, ports, interrupts, RAM blocks and section
 * names are QEMU's (hw/i386/microvm.c, v7.2 to v11.1).
 */
export const microvm = defineMachineType({
  name: 'microvm',
  description: 'microvm (i386)',
  properties: MICROVM_PROPERTIES,
  defaultRamSize: 128 * 2 ** 20,
  maxCpus: 288,
  defaultCpu: x86Cpu,
  cpus: x86Cpus,
  devices: DEVICES,
  build: buildMicrovm,
});

function buildMicrovm(builder: MachineBuilder, properties: MicrovmProperties): void {
  const features = microvmFeatures(properties);
  const wire = WIRE_GENERATIONS[properties.wire];
  const path = chooseBootPath(builder, properties, features.acpi, wire);
  const kernel = builder.boot.kernel === undefined ? undefined : parseKernel(builder.boot.kernel);

  mapRam(builder);
  const biosBlock = mapFirmware(builder, path.bios.length);
  const fwCfgState = builder.device(fwCfg({ at: { iobase: [MICROVM_PORTS.fwCfg, MICROVM_PORTS.fwCfg + 4] } }))
    .state as FwCfgDevice;
  builder.scope.provide(FwCfg, fwCfgState);
  addMachineContent(fwCfgState, builder);

  const { cpus, apicBus, apicIds } = makeCpus(builder);
  const router = makeInterruptControllers(builder, features, apicBus);
  const transports = makeTransports(builder, router, transportMap(features.acpi, features.ioapics));
  if (features.acpi) makeGed(builder, router);
  makeLegacyDevices(builder, router, features, properties['isa-serial']);
  makeUserDevices(builder, features);

  const populated = populatedTransports(transports);
  const serial = properties['isa-serial'] && builder.serials[0] !== undefined;
  const blobs = features.acpi
    ? buildAcpi({
        cpuCount: builder.cpuCount,
        apicIds,
        pic: features.pic,
        ioapic2: features.ioapics > 1,
        rtc: features.rtc,
        uart: serial,
        virtio: populated,
        gedGsi: MICROVM_GSI.ged,
      })
    : undefined;
  const acpiBlocks = blobs && new AcpiBlocks(builder, fwCfgState, blobs);
  fwCfgState.addFile(
    'etc/fdt',
    flattenTree(microvmTree({ ioapics: features.ioapics, serial, rtc: features.rtc, virtio: populated })),
  );
  builder.setSectionOrder(sectionOrder(wire));

  const listed = features.acpi || !properties['auto-kernel-cmdline'] ? [] : populated;
  const cmdline = (): string => builder.kernelCmdline((builder.boot.cmdline ?? '') + transportParameters(listed));
  const input = (image: KernelImage) => ({
    kernel: image,
    kernelName: KERNEL_NAME,
    cmdline: cmdline(),
    ramSize: builder.ramSize,
    ...(builder.boot.initrd === undefined ? {} : { initrd: builder.boot.initrd }),
  });

  const planDirect = (image: KernelImage): DirectBoot =>
    planDirectBoot({
      ...input(image),
      biosSize: path.bios.length,
      ...(blobs && { acpi: placeAcpi(blobs, { tablesAt: DIRECT_LAYOUT.acpiTables, rsdpAt: DIRECT_LAYOUT.rsdp }) }),
    });
  const planFirmware = (image: KernelImage): FirmwareBoot => planFirmwareBoot(input(image));

  // The kernel is offered to firmware on a direct boot too: a guest that migrates to QEMU finds there what QEMU offers.
  const rom =
    kernel !== undefined && properties['x-option-roms'] && !path.direct
      ? optionRom(builder.boot, planFirmware(kernel).optionRom)
      : undefined;
  addOptionRom(fwCfgState, rom);
  if (kernel?.kind === 'bzimage' && wire.wholeKernelFile) fwCfgState.addFile('etc/boot/kernel', kernel.bytes);

  let plans: { readonly direct: DirectBoot | undefined; readonly firmware: FirmwareBoot | undefined } | undefined;
  builder.onReset(() => {
    // Plugins contribute to the command line when every device exists, so the plan is made at the first reset.
    plans ??= {
      direct: kernel !== undefined && path.direct ? planDirect(kernel) : undefined,
      firmware: kernel === undefined ? undefined : planFirmware(kernel),
    };
    acpiBlocks?.reset();
    builder.memory.resize(biosBlock, path.bios.length);
    fillBlock(builder, biosBlock, path.bios);
    if (plans.firmware !== undefined) {
      addKernelContent(fwCfgState, plans.firmware);
      if (plans.direct === undefined) for (const write of plans.firmware.writes) writeGuest(builder, write);
    }
    if (plans.direct !== undefined) startDirect(builder, cpus, plans.direct);
  });
}

function startDirect(builder: MachineBuilder, cpus: readonly X86VCpu[], plan: DirectBoot): void {
  for (const write of plan.writes) writeGuest(builder, write);
  applyBootState(cpus[0]!, plan.state);
}
