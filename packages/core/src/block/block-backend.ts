import { type Service, service } from '../container/service.ts';
import { prop } from '../device/properties.ts';
import type { BlockIo } from './block-io.ts';

/** What becomes of a request that failed. */
export type BlockErrorAction = 'report' | 'ignore' | 'stop';

/**
 * A device's way to its disk. Requests wait while the node below is drained; the device may have any number under way
 * and is told of each one's end between slices of the guest.
 */
export interface BlockBackend extends BlockIo {
  /** Name of the drive or node, for messages. */
  readonly name: string;
  /** The disk cannot be written to. */
  readonly readOnly: boolean;
  /** Requests under way or waiting. */
  readonly inFlight: number;
  /**
   * What to do about a request that failed, by the user's `rerror` and `werror`; also does what concerns the machine:
   * BLOCK_IO_ERROR, and stopping it with `io-error`. `report`: the guest is told of the error. `ignore`: the request
   * counts as done. `stop`: the device keeps the request, as state that travels, and makes it again when the machine
   * runs again.
   */
  errorAction(operation: 'read' | 'write', error: unknown): BlockErrorAction;
  /** Calls back when the length has changed. */
  onResize(callback: () => void): void;
  /** The device goes. What is under way ends first. */
  detach(): void;
}
/** The disk behind a device's `drive` property. */
export const BlockBackend: Service<BlockBackend> = service('BlockBackend');

/** Who asks for a disk, and how it will use it. */
export interface BlockUser {
  /** Device id. */
  readonly id: string;
  /** Never writes. */
  readonly readOnly?: boolean;
  /** Lets other users of the node write too. */
  readonly shareRw?: boolean;
  /** `rerror`, `werror` of the device; `auto`: what the drive says. */
  readonly rerror?: BlockErrorPolicy;
  readonly werror?: BlockErrorPolicy;
}

/** `rerror=` and `werror=`; `enospc` stops only for a full disk. */
export type BlockErrorPolicy = 'auto' | 'report' | 'ignore' | 'enospc' | 'stop';

/** The machine's disks by name. */
export interface BlockBackends {
  /**
   * Gives the disk to a device.
   *
   * @param drive - Id of a `-drive` or a node-name.
   * @throws ConfigError when there is none, or when its users do not go together; the message names both.
   */
  attach(drive: string, user: BlockUser): BlockBackend;
}
/** The machine's disks. */
export const BlockBackends: Service<BlockBackends> = service('BlockBackends');

const policy = (help: string) =>
  prop.enum(['auto', 'report', 'ignore', 'enospc', 'stop'] as const, { default: 'auto', help });

/** Properties that every device with a disk has; the framework reads them and injects {@link BlockBackend}. */
export const BLOCK_DEVICE_PROPERTIES = {
  drive: prop.string({ help: 'Id of a -drive or node-name of a -blockdev' }),
  'share-rw': prop.bool({ default: false, help: 'Other users of the disk may write too' }),
  rerror: policy('What a failed read does'),
  werror: policy('What a failed write does'),
} as const;
