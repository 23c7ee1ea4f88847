import type { Injected, Service } from '../container/service.ts';
import type { LiveHandlers, VmState } from '../vmstate/index.ts';
import type { PropertyInput, PropertyTable, PropertyValues } from './properties.ts';
import type { DeviceRegion } from './region.ts';
import type { RegisterTable } from './registers.ts';

/**
 * Addresses by bus. A bus package adds its own by declaration merging.
 * Addresses are always explicit: implicit ones load state into the wrong device.
 */
export interface BusAddresses {
  /** Memory-mapped devices: base addresses of the regions and machine interrupt numbers of the lines, in order. */
  sysbus: { readonly mmio?: number | readonly number[]; readonly irq?: number | readonly number[] };
  /** Devices on x86 ports; `iobase` and `irq` default to the device's own. */
  isa: { readonly iobase?: number | readonly number[]; readonly irq?: number | readonly number[] };
}
/** Name of a bus. */
export type BusName = keyof BusAddresses;

/** Three-phase reset: `enter` sets state, `hold` drives lines, `exit` may act on others. A plain function is `hold`. */
export type ResetPhases<S> =
  | ((state: S) => void)
  | { readonly enter?: (state: S) => void; readonly hold?: (state: S) => void; readonly exit?: (state: S) => void };

/** What an author writes for a device, in the order of a datasheet. */
export interface DeviceDescriptor<
  B extends BusName,
  P extends PropertyTable,
  I extends readonly Service<unknown>[],
  S extends object,
> {
  /** Driver name, as after `-device`. */
  readonly name: string;
  readonly bus: B;
  /** One line for `-device help`. */
  readonly description: string;
  readonly properties?: P;
  /** Services that `create` gets after the properties. */
  readonly inject?: I;
  /** Makes the device's state object. Must not touch other devices; throw RangeError to refuse the properties. */
  create(properties: PropertyValues<P>, ...services: Injected<I>): S;
  /** Guest-visible 32-bit registers as one MMIO region. */
  registers?(state: S): RegisterTable;
  /** Guest-visible regions, where `registers` is not enough. */
  regions?(state: S): readonly DeviceRegion[];
  readonly reset?: ResetPhases<S>;
  /** The state that travels: a table, `'stateless'`, or `unmigratable(reason)`. */
  readonly vmstate: VmState<NoInfer<S>>;
  /** Section name in the stream when it is not the device name; may depend on the address. */
  readonly sectionId?: (state: S) => string;
  /** State that is sent while the machine runs. */
  readonly live?: LiveHandlers<NoInfer<S>>;
  /** Can be plugged in and pulled out while the machine exists. */
  readonly hotpluggable?: boolean;
  /** Runs when every device of the machine exists and is wired. */
  realize?(state: S): void;
  /** Undoes `realize`; timers, taps, regions and bindings are removed by the framework. */
  unrealize?(state: S): void;
}

/** Settings of one device of a machine: identity, address and properties. */
export type DeviceSettings<B extends BusName, P extends PropertyTable> = {
  readonly id?: string;
  readonly at?: BusAddresses[B];
} & PropertyInput<P>;

/** A device that a machine shall have: plain data apart from its type. */
export interface DeviceSpec {
  readonly type: DeviceType;
  readonly id: string | undefined;
  readonly at: Readonly<Record<string, unknown>> | undefined;
  readonly properties: Readonly<Record<string, unknown>>;
}

/** A device type with its types erased, as registries hold it. */
export interface DeviceType {
  readonly kind: 'device';
  // biome-ignore lint/suspicious/noExplicitAny: the registry erases the generics of descriptors
  readonly descriptor: DeviceDescriptor<any, any, any, any>;
}

/** A device type: call it with settings to get a {@link DeviceSpec}. */
export interface DeviceFactory<B extends BusName, P extends PropertyTable> extends DeviceType {
  (settings: DeviceSettings<B, P>): DeviceSpec;
}

/**
 * Declares a device type.
 *
 * @throws TypeError when the descriptor contradicts itself.
 */
export function defineDevice<
  const B extends BusName,
  const P extends PropertyTable = Record<never, never>,
  const I extends readonly Service<unknown>[] = readonly [],
  S extends object = object,
>(descriptor: DeviceDescriptor<B, P, I, S>): DeviceFactory<B, P> {
  if (!/^[a-zA-Z][\w.+-]*$/.test(descriptor.name))
    throw new TypeError(`device name '${descriptor.name}' must be letters, digits, '-', '.', '+' or '_'`);
  for (const reserved of ['id', 'at', 'driver', 'bus', 'addr']) {
    if (Object.hasOwn(descriptor.properties ?? {}, reserved))
      throw new TypeError(`device ${descriptor.name}: property name '${reserved}' is reserved`);
  }
  const factory = ({ id, at, ...properties }: DeviceSettings<B, P>): DeviceSpec => ({ type, id, at, properties });
  const type: DeviceFactory<B, P> = Object.assign(factory, { kind: 'device' as const, descriptor });
  return type;
}
