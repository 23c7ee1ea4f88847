/** Kinds of requests that a rule may be for, QAPI's BlkdebugIOType. */
export const BLKDEBUG_IO_TYPES = ['read', 'write', 'write-zeroes', 'discard', 'flush'] as const;
/** A kind of request. */
export type BlkdebugIoType = (typeof BLKDEBUG_IO_TYPES)[number];

/** A rule that makes requests fail. */
export interface InjectError {
  /** Step that makes the rule effective; `none`: it is from the start. */
  readonly event: string;
  /** State in which it is; 0: any. */
  readonly state: number;
  /** Only requests of this kind fail. */
  readonly iotype: BlkdebugIoType | undefined;
  /** The host's error number. */
  readonly errno: number;
  /** Only requests that touch this sector fail. */
  readonly sector: number | undefined;
  /** The rule goes with its first failure. */
  readonly once: boolean;
  /** The request fails in the same turn. */
  readonly immediately: boolean;
}

/** A rule that changes the state. */
export interface SetState {
  readonly event: string;
  readonly state: number;
  readonly newState: number;
}

const SECTOR = 512;
/** The event of rules that wait for none. */
const NONE = 'none';

/**
 * Rules of fault injection as QEMU's `blkdebug` has them. A step of the node above (an event) makes rules effective or
 * changes the state; a request fails when an effective rule is for it. Effective rules stay so until another event makes
 * other rules effective.
 */
export class BlkdebugRules {
  #state = 1;
  #inject: readonly InjectError[];
  readonly #setState: readonly SetState[];
  #effective: readonly InjectError[] = [];

  constructor(inject: readonly InjectError[], setState: readonly SetState[]) {
    this.#inject = inject;
    this.#setState = setState;
    this.event(NONE);
  }

  /** The number that `state` of rules is compared with. */
  get state(): number {
    return this.#state;
  }

  /** A step has been taken. All rules see the state from before it. */
  event(event: string): void {
    const applies = (rule: { readonly event: string; readonly state: number }) =>
      rule.event === event && (rule.state === 0 || rule.state === this.#state);
    const inject = this.#inject.filter(applies);
    if (inject.length > 0) this.#effective = inject;
    const next = this.#setState.find(applies);
    if (next !== undefined) this.#state = next.newState;
  }

  /** The rule by which a request fails, if there is one. */
  check(iotype: BlkdebugIoType, offset: number, length: number): InjectError | undefined {
    const rule = this.#effective.find(
      ({ iotype: only, sector }) =>
        (only === undefined || only === iotype) &&
        (sector === undefined || (offset < (sector + 1) * SECTOR && sector * SECTOR < offset + length)),
    );
    if (rule?.once === true) {
      this.#effective = this.#effective.filter((other) => other !== rule);
      this.#inject = this.#inject.filter((other) => other !== rule);
    }
    return rule;
  }
}

/**
 * Options of a `blkdebug` that lets the n-th `event` (counted from 1) fail, once: `read_aio` and `write_aio` are reads
 * and writes of a `raw` node above it, `flush_to_disk` its flushes.
 */
export function failNth(
  event: string,
  n: number,
  failure: Readonly<Record<string, unknown>> = {},
): Readonly<Record<string, unknown>> {
  const steps = Array.from({ length: n - 1 }, (_, i) => ({ event, state: i + 1, new_state: i + 2 }));
  return { 'inject-error': [{ event, state: n, once: true, ...failure }], 'set-state': steps };
}
