import {
  type BlockChild,
  type BlockDriver,
  type BlockDriverType,
  BlockError,
  type BlockNodeHost,
  resolveProperties,
  type Scope,
  Scope as ServiceScope,
} from '@sterna/core';
import { DiskPeer } from '../harness/disk-peer.ts';

/** A node below the driver: a disk in memory. */
export class DiskChild extends DiskPeer implements BlockChild {
  readonly nodeName: string;
  readonly requestAlignment = 1;
  readonly filename: string;

  /** @param size - Bytes. */
  constructor(nodeName: string, size: number) {
    super(size);
    this.nodeName = nodeName;
    this.filename = `${nodeName}.img`;
  }

  actualSize(): number {
    return this.length;
  }
  debugEvent(): void {}
}

/** How to open a driver on the bench. */
export interface DriverBenchOptions {
  /** Option values, or their texts. */
  readonly properties?: Readonly<Record<string, unknown>>;
  /** Bytes of each node below. Default: 1 MiB. */
  readonly childSize?: number;
  /** Content of the nodes below; by default zeroes, or what `children` hold. */
  readonly prepare?: (children: ReadonlyMap<string, DiskChild>) => void;
  /** Opens it for reading only. */
  readonly readOnly?: boolean;
  /** Binds the services that `open` wants. */
  readonly provide?: (scope: Scope) => void;
}

/** A block driver, opened over disks in memory. */
export class DriverBench {
  readonly driver: BlockDriver;
  readonly children: ReadonlyMap<string, DiskChild>;
  readonly #type: BlockDriverType;
  readonly #options: DriverBenchOptions;

  private constructor(
    type: BlockDriverType,
    options: DriverBenchOptions,
    driver: BlockDriver,
    children: ReadonlyMap<string, DiskChild>,
  ) {
    this.#type = type;
    this.#options = options;
    this.driver = driver;
    this.children = children;
  }

  /** Opens it. */
  static async open(
    type: BlockDriverType,
    options: DriverBenchOptions,
    given?: ReadonlyMap<string, DiskChild>,
  ): Promise<DriverBench> {
    const { descriptor } = type;
    const names = Object.entries((descriptor.children ?? {}) as Readonly<Record<string, string>>)
      .filter(([, need]) => need === 'required')
      .map(([name]) => name);
    const children =
      given ?? new Map(names.map((name) => [name, new DiskChild(name, options.childSize ?? 1 << 20)] as const));
    if (given === undefined) options.prepare?.(children);
    const scope = new ServiceScope('driver bench');
    options.provide?.(scope);
    const node: BlockNodeHost = {
      nodeName: 'dut',
      readOnly: options.readOnly ?? false,
      autoReadOnly: false,
      findChild: (name) => children.get(name),
      child: (name) => {
        const child = children.get(name);
        if (child === undefined) throw new RangeError(`the bench has no child '${name}'`);
        return child;
      },
    };
    const properties = resolveProperties(descriptor.properties ?? {}, options.properties ?? {}, descriptor.name, {
      text: true,
    });
    const driver = await descriptor.open(properties, node, ...scope.resolve(descriptor.inject ?? []));
    return new DriverBench(type, options, driver, children);
  }

  /** Closes it and opens another over the same disks. */
  async reopen(): Promise<DriverBench> {
    await this.driver.flush?.({});
    await this.driver.close?.();
    return DriverBench.open(this.#type, this.#options, this.children);
  }

  /** Largest request and granule that the node would keep to. */
  get limits(): { readonly granule: number; readonly most: number } {
    const { requestAlignment: granule = 1, maxTransfer = 65536 } = this.driver;
    return { granule, most: Math.max(granule, Math.min(maxTransfer, 65536)) };
  }

  /** Reads as a node would. */
  async read(offset: number, length: number): Promise<Uint8Array> {
    const into = new Uint8Array(length);
    await this.driver.read(offset, into, {});
    return into;
  }

  /** Zeroes as a node would: by writing where the driver cannot. */
  async zero(offset: number, length: number): Promise<void> {
    try {
      if (this.driver.writeZeroes === undefined) throw new BlockError('ENOTSUP', 'no writeZeroes');
      await this.driver.writeZeroes(offset, length, {});
    } catch (error) {
      if (!(error instanceof BlockError) || error.errno !== 'ENOTSUP') throw error;
      await this.driver.write?.(offset, new Uint8Array(length), {});
    }
  }
}
