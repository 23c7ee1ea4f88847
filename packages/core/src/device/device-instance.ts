import { BlockBackend, BlockBackends, type BlockErrorPolicy } from '../block/block-backend.ts';
import { CharBackend } from '../chardev/char-backend.ts';
import { NullBackend } from '../chardev/null-backend.ts';
import { Scope } from '../container/container.ts';
import { ConfigError, SternaError } from '../errors.ts';
import { Hooks, type MachineHooks } from '../hooks/hooks.ts';
import { IrqLine, IrqLines, UNCONNECTED_IRQ } from '../irq/irq.ts';
import type { BlockerList } from '../machine/blockers.ts';
import type { DeviceWiring, RealizedDevice } from '../machine/define-machine-type.ts';
import { DeviceLogger, type LogSink } from '../machine/log.ts';
import { MigrationBlockers, MigrationNotifiers } from '../machine/migration-services.ts';
import type { NotifierList } from '../machine/notifiers.ts';
import { Logger } from '../machine/services.ts';
import type { AddressSpace } from '../memory/address-space.ts';
import { type RtcClock, RtcClock as RtcClockService, VirtualClock } from '../time/clock.ts';
import type { MachineClock } from '../time/machine-clock.ts';
import type { DeviceSpec } from './define-device.ts';
import { resolveProperties } from './properties.ts';
import type { DeviceRegion } from './region.ts';
import { registerOps } from './registers.ts';

/** What a machine gives to the making of its devices. */
export interface DeviceContext {
  readonly scope: Scope;
  readonly hooks: MachineHooks;
  readonly clock: MachineClock;
  readonly rtc: RtcClock;
  readonly physical: AddressSpace;
  readonly ports: AddressSpace;
  readonly blockers: BlockerList;
  readonly notifiers: NotifierList;
  readonly chardevs: ReadonlyMap<string, CharBackend>;
  readonly log: LogSink;
  /** `DRIVER.PROP` defaults from `-global`. */
  readonly globals: Readonly<Record<string, string>>;
  irqRouter(irq: number): IrqLine;
}

/** A device between realize and unrealize. Its scope owns everything it added to the machine. */
export class DeviceInstance implements RealizedDevice {
  readonly id: string;
  readonly type: DeviceSpec['type'];
  readonly state: object;
  readonly scope: Scope;
  /** Instance id the machine fixed for the stream, if any. */
  readonly instanceId: number | undefined;
  /** Further instance id accepted when loading, if any. */
  readonly aliasInstanceId: number | undefined;
  /** Property values in effect, for `info qtree`. */
  readonly properties: Readonly<Record<string, unknown>>;
  /** Where its regions are mapped. */
  readonly mappings: readonly { readonly space: 'mmio' | 'io'; readonly base: number; readonly size: number }[];
  #lines: readonly IrqLine[] = [];
  #alive = true;

  /**
   * Makes and wires a device.
   *
   * @throws ConfigError naming the device and what it refused.
   */
  constructor(id: string, spec: DeviceSpec, context: DeviceContext, wiring: DeviceWiring) {
    const { descriptor } = spec.type;
    const origin = `${descriptor.name} '${id}'`;
    this.id = id;
    this.type = spec.type;
    this.instanceId = wiring.instanceId;
    this.aliasInstanceId = wiring.aliasInstanceId;
    this.scope = new Scope(`device ${origin}`, context.scope);
    try {
      const values = resolveProperties(descriptor.properties ?? {}, withGlobals(spec, context.globals), origin, {
        text: true,
      });
      this.properties = values;
      this.#provideServices(id, spec, context, wiring, values);
      this.state = refusal(origin, () => descriptor.create(values, ...this.scope.resolve(descriptor.inject ?? [])));
      this.mappings = this.#mapRegions(spec, context);
    } catch (error) {
      this.#alive = false;
      this.scope.dispose();
      throw error;
    }
  }

  #provideServices(
    id: string,
    spec: DeviceSpec,
    context: DeviceContext,
    wiring: DeviceWiring,
    values: Readonly<Record<string, unknown>>,
  ): void {
    const { scope } = this;
    const isAlive = () => this.#alive;
    const lines = wiring.irqs ?? numbers(spec.at?.['irq']).map((irq) => context.irqRouter(irq));
    this.#lines = lines;
    scope.provide(IrqLine, lines[0] ?? UNCONNECTED_IRQ);
    scope.provide(IrqLines, lines);
    scope.provide(Logger, new DeviceLogger(id, context.log));
    scope.provide(Hooks, context.hooks.ownedBy(isAlive));
    scope.provide(VirtualClock, {
      now: () => context.clock.now(),
      timer: (name, callback) => {
        const timer = context.clock.timers.create(`${id}.${name}`, callback, isAlive);
        scope.onDispose(() => timer.cancel());
        return timer;
      },
    });
    scope.provide(RtcClockService, {
      now: () => context.rtc.now(),
      dateNs: () => context.rtc.dateNs(),
      timer: (name, callback) => {
        const timer = context.rtc.timer(`${id}.${name}`, () => (isAlive() ? callback() : undefined));
        scope.onDispose(() => timer.cancel());
        return timer;
      },
    });
    const ending = <T extends Disposable>(held: T): T => {
      scope.onDispose(() => held[Symbol.dispose]());
      return held;
    };
    const { blockers, notifiers } = context;
    scope.provide(MigrationBlockers, {
      add: (reason, modes) => ending(blockers.add(reason, modes)),
      addInternal: (reason, modes) => ending(blockers.addInternal(reason, modes)),
      reasons: (mode) => blockers.reasons(mode),
    });
    scope.provide(MigrationNotifiers, {
      add: (name, listener, modes) => ending(notifiers.add(`${id}.${name}`, listener, modes)),
    });
    scope.provide(CharBackend, this.#chardev(values['chardev'], context));
    this.#provideDisk(id, values);
    wiring.provide?.(scope);
  }

  /** A device with {@link BLOCK_DEVICE_PROPERTIES} gets its disk. */
  #provideDisk(id: string, values: Readonly<Record<string, unknown>>): void {
    const { drive } = values;
    if (typeof drive !== 'string') return;
    // The property table has checked them.
    const backend = this.scope.get(BlockBackends).attach(drive, {
      id,
      shareRw: values['share-rw'] === true,
      rerror: (values['rerror'] ?? 'auto') as BlockErrorPolicy,
      werror: (values['werror'] ?? 'auto') as BlockErrorPolicy,
    });
    this.scope.onDispose(() => backend.detach());
    this.scope.provide(BlockBackend, backend);
  }

  #chardev(name: unknown, context: DeviceContext): CharBackend {
    if (typeof name !== 'string') return new NullBackend('null');
    const backend = context.chardevs.get(name);
    if (backend === undefined)
      throw new ConfigError(
        'STERNA_ERR_CHARDEV',
        `no -chardev with id '${name}'; there are: ${[...context.chardevs.keys()].join(', ') || '(none)'}`,
        { path: this.id },
      );
    this.scope.onDispose(() => backend.attach(undefined));
    return backend;
  }

  #mapRegions(spec: DeviceSpec, context: DeviceContext): { space: 'mmio' | 'io'; base: number; size: number }[] {
    const { descriptor } = spec.type;
    const regions: DeviceRegion[] = [];
    if (descriptor.registers !== undefined) {
      const logger = this.scope.get(Logger);
      const { size, read, write } = registerOps(descriptor.name, descriptor.registers(this.state), (text) =>
        logger.guestError(text),
      );
      // A page each: guests map registers by page, and two devices must not share one.
      regions.push({
        name: descriptor.name,
        space: 'mmio',
        size: Math.max(size, 0x1000),
        read: (offset, width) => (offset < size ? read(offset, width) : 0),
        write: (offset, value, width) => (offset < size ? write(offset, value, width) : undefined),
      });
    }
    regions.push(...(descriptor.regions?.(this.state) ?? []));
    const bases = { mmio: numbers(spec.at?.['mmio']), io: numbers(spec.at?.['iobase']) };
    const used = { mmio: 0, io: 0 };
    return regions.map((region) => {
      const base = bases[region.space][used[region.space]++] ?? region.defaultBase;
      if (base === undefined)
        throw new ConfigError(
          'STERNA_ERR_BUS_ADDRESS',
          `region '${region.name}' has no address; give ${region.space === 'mmio' ? 'mmio=' : 'iobase='}`,
          { path: this.id },
        );
      const space = region.space === 'mmio' ? context.physical : context.ports;
      try {
        const mapping = space.map(
          base,
          { kind: 'mmio', name: `${this.id}.${region.name}`, size: region.size, ops: region },
          1,
        );
        this.scope.onDispose(() => mapping[Symbol.dispose]());
      } catch (cause) {
        throw new ConfigError('STERNA_ERR_REGION_CONFLICT', cause instanceof Error ? cause.message : String(cause), {
          path: this.id,
          cause,
        });
      }
      return { space: region.space, base, size: region.size };
    });
  }

  /** Every device exists: the device may look around. */
  realize(): void {
    refusal(this.id, () => this.type.descriptor.realize?.(this.state));
  }

  /** One phase of the three-phase reset. */
  reset(phase: 'enter' | 'hold' | 'exit'): void {
    if (!this.#alive) return;
    const { reset } = this.type.descriptor;
    if (typeof reset === 'function') {
      if (phase === 'hold') reset(this.state);
    } else reset?.[phase]?.(this.state);
  }

  /** What a card does that is pulled out: nobody drives its lines any more. */
  releaseLines(): void {
    for (const line of this.#lines) line.set(false);
  }

  /** Removes the device: taps, timers, regions, blockers and bindings end with its scope. */
  unrealize(): void {
    if (!this.#alive) return;
    this.type.descriptor.unrealize?.(this.state);
    this.#alive = false;
    this.scope.dispose();
  }
}

function withGlobals(spec: DeviceSpec, globals: Readonly<Record<string, string>>): Record<string, unknown> {
  const { name, properties = {} } = spec.type.descriptor;
  const values: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(globals)) {
    const [driver, property] = splitGlobal(key);
    if (driver === name && Object.hasOwn(properties, property)) values[property] = value;
  }
  return { ...values, ...spec.properties };
}

/** Splits `driver.property` at the last dot, since driver names may contain dots. */
function splitGlobal(key: string): [driver: string, property: string] {
  const dot = key.lastIndexOf('.');
  return [key.slice(0, dot), key.slice(dot + 1)];
}

/** Turns what a device throws in `create` or `realize` into an error that names the device. */
function refusal<T>(origin: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    if (cause instanceof SternaError) throw cause;
    throw new ConfigError('STERNA_ERR_REALIZE', cause instanceof Error ? cause.message : String(cause), {
      path: origin,
      cause,
    });
  }
}

function numbers(value: unknown): number[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? (value as number[]) : [value as number];
}
