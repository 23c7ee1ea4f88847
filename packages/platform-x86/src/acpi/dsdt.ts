import { GED_POWER_DOWN, GED_SLEEP_TYPE_S5 } from '../acpi-ged/chip.ts';
import {
  type Aml,
  and,
  device,
  dwordField,
  eisaId,
  equal,
  fixedMemory,
  ifThen,
  integer,
  interrupt,
  ioPorts,
  isaIrq,
  local0,
  memoryRegion,
  named,
  nameSegment,
  notify,
  packageOf,
  resourceTemplate,
  scope,
  serializedMethod,
  sharedIsaIrq,
  store,
  string,
} from './aml.ts';
import { type AcpiConfig, type AcpiVirtioTransport, GED_SELECTOR_BASE } from './config.ts';

/** Device states: present, enabled, shown in the user interface, functioning. */
const STA_HIDDEN = 0x0b;
const STA_SHOWN = 0x0f;
/** Notification of a pressed button (ACPI 6.1 §5.6.6). */
const BUTTON_PRESSED = 0x80;

/** The firmware configuration ports. */
function fwCfgDevice(): Aml {
  return device(
    'FWCF',
    named('_HID', string('QEMU0002')),
    named('_STA', integer(STA_HIDDEN)),
    named('_CRS', resourceTemplate(ioPorts(0x510, 1, 12))),
  );
}

function serialDevice(shared: boolean): Aml {
  return device(
    'COM1',
    named('_HID', eisaId('PNP0501')),
    named('_UID', integer(1)),
    named('_STA', integer(STA_SHOWN)),
    named('_CRS', resourceTemplate(ioPorts(0x3f8, 0, 8), shared ? sharedIsaIrq(4) : isaIrq(4))),
  );
}

function rtcDevice(): Aml {
  return device(
    'RTC',
    named('_HID', eisaId('PNP0B00')),
    named('_CRS', resourceTemplate(ioPorts(0x70, 1, 8), isaIrq(8))),
  );
}

/** The event device: its method fetches the pending events and notifies whom they concern. */
function gedDevice(gsi: number, selector: number): Aml {
  const event = integer(GED_POWER_DOWN);
  return device(
    'GED',
    named('_HID', string('ACPI0013')),
    named('_UID', string('GED')),
    named('_CRS', resourceTemplate(interrupt(gsi, 'edge'))),
    memoryRegion('EREG', selector, 4),
    dwordField('EREG', 'ESEL', 32),
    serializedMethod(
      '_EVT',
      1,
      store(nameSegment('ESEL'), local0),
      ifThen(equal(and(local0, event), event), notify('PWRB', BUTTON_PRESSED)),
    ),
  );
}

function powerButton(): Aml {
  return device('PWRB', named('_HID', string('PNP0C0C')), named('_UID', integer(0)));
}

function virtioDevice({ index, address, gsi }: AcpiVirtioTransport): Aml {
  return device(
    `VR${String(index).padStart(2, '0')}`,
    named('_HID', string('LNRO0005')),
    named('_UID', integer(index)),
    named('_CCA', integer(1)),
    named('_CRS', resourceTemplate(fixedMemory(address, 0x200), interrupt(gsi, 'level'))),
  );
}

/** The body of the DSDT. */
export function dsdtBody(config: AcpiConfig): Aml {
  const transports = [...config.virtio].sort((a, b) => b.index - a.index);
  return [
    ...scope(
      '_SB',
      fwCfgDevice(),
      ...(config.uart ? [serialDevice(config.sharedUartIrq ?? false)] : []),
      ...(config.rtc ? [rtcDevice()] : []),
      gedDevice(config.gedGsi, config.gedSelector ?? GED_SELECTOR_BASE),
      powerButton(),
      ...transports.map(virtioDevice),
    ),
    ...scope('', named('_S5', packageOf(integer(GED_SLEEP_TYPE_S5), integer(0), integer(0), integer(0)))),
  ];
}
