/** What can be made to fail. */
export type FaultKind = 'transition' | 'read' | 'write' | 'load';

/** Failures on demand: the n-th call of a kind fails, once; 0 is never. */
export class Faults {
  readonly #left: Record<FaultKind, number>;

  constructor(at: Readonly<Record<FaultKind, number>>) {
    this.#left = { ...at };
  }

  /** @throws RangeError when it is this call's turn; `what` says what it was about */
  check(kind: FaultKind, what: string): void {
    if (this.#left[kind] === 0 || --this.#left[kind] > 0) return;
    throw new RangeError(`${what} failed, as fail-${kind} asked for`);
  }
}
