/**
 * A bus that Sterna does not know: two wires, one controller, targets with 7-bit addresses. The bus has no state of its own:
 * what is under way is the controller's and the targets', so it needs no section in the stream.
 */
import { busService, type Service } from '@sterna/core';

/** Something with an address on the bus. */
export interface TwoWireTarget {
  /** 7 bits. */
  readonly address: number;
  /** A transaction with this target begins; false does not acknowledge it. */
  start(read: boolean): boolean;
  /** A byte from the controller; false does not acknowledge it. */
  write(byte: number): boolean;
  /** A byte for the controller. */
  read(): number;
  /** The transaction is over. */
  stop(): void;
}

/** The two wires. */
export interface TwoWireBus {
  /**
   * Connects a target until the result is disposed.
   *
   * @throws RangeError when the address is taken or has more than 7 bits
   */
  connect(target: TwoWireTarget): Disposable;
  /** The target with this address. */
  target(address: number): TwoWireTarget | undefined;
}
/** The machine's two-wire bus. */
export const TwoWireBus: Service<TwoWireBus> = busService('two-wire');

declare module '@sterna/core' {
  interface BusAddresses {
    /** A target's address is its property, as on QEMU's I2C buses; the bus itself places nothing. */
    'two-wire': Readonly<Record<never, never>>;
  }
}

/** Makes a bus with nothing on it. */
export function twoWireBus(): TwoWireBus {
  const targets = new Map<number, TwoWireTarget>();
  return {
    connect(target) {
      const { address } = target;
      if (address > 0x7f) throw new RangeError(`address 0x${address.toString(16)} has more than 7 bits`);
      if (targets.has(address)) throw new RangeError(`address 0x${address.toString(16)} is taken`);
      targets.set(address, target);
      return { [Symbol.dispose]: () => void targets.delete(address) };
    },
    target: (address) => targets.get(address),
  };
}
