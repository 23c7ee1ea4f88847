/** The most that one gets before the others have their turn, in bytes. */
const QUANTUM = 4 * 2 ** 20;

/**
 * Divides what may be sent among live devices, RAM being one of them (deficit round robin): in each round all get the same
 * number of bytes, and one that took more than it was given waits until the others have caught up.
 *
 * The naive way is QEMU's before 9.0: the second device is asked when the first has nothing left. RAM that is dirtied faster
 * than it is sent then starves everybody behind it. Asking each in turn, as QEMU does since, is still not enough on a slow
 * link, where the first one to be asked uses up the whole window.
 */
export class FairShares {
  readonly #credit = new Map<object, number>();

  /**
   * What a device may send now; 0 or less while it has to wait.
   *
   * @param left bytes of the current window
   * @param devices how many share it
   */
  grant(device: object, left: number, devices: number): number {
    const share = Math.max(1, Math.min(QUANTUM, left / devices));
    // What was not used is not saved up: a device that had nothing to send must not flood the channel later.
    const credit = Math.min(share, (this.#credit.get(device) ?? 0) + share);
    this.#credit.set(device, credit);
    return credit;
  }

  /** A device has sent so much. */
  used(device: object, bytes: number): void {
    this.#credit.set(device, (this.#credit.get(device) ?? 0) - bytes);
  }
}
