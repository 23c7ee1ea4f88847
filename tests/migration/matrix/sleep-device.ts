import { defineDevice, definePlugin, MachineControl } from '@sterna/core';

const SLEEP_ENABLE = 0x20;
const TYPE_S3 = 1;

/**
 * A sleep control register that knows S3. QEMU's microvm has none (its event device only knows S5), so neither has ours;
 * the tests of sleeping guests add this device with `--plugin`. A guest that is woken up begins at the reset vector with
 * its memory as it was.
 */
const sleepControl = defineDevice({
  name: 'sleep-control',
  bus: 'sysbus',
  description: 'Sleep control register of hardware-reduced ACPI with S3',
  inject: [MachineControl],
  create(_properties: object, control: MachineControl) {
    control.supportWakeup(() => control.requestReset('none'));
    return { control };
  },
  regions: ({ control }) => [
    {
      name: 'sleep-control',
      space: 'mmio',
      size: 1,
      read: () => 0,
      write: (_offset, value) => {
        if ((value & SLEEP_ENABLE) !== 0 && ((value >>> 2) & 7) === TYPE_S3) control.requestSuspend();
      },
    },
  ],
  vmstate: 'stateless',
});

export default definePlugin({ name: 'sleep-control', devices: [sleepControl] });
