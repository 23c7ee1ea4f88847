import type { WatchKind, Watchpoint } from '@sterna/core';
import { parseAddress, parseCount } from './hex.ts';
import type { BreakpointName } from './stop-reply.ts';
import type { GdbTarget } from './target.ts';

const OK = 'OK';
const INVALID = 'E22';
/** ENOSPC. */
const NO_ROOM = 'E1c';

const WATCH_KINDS: Readonly<Record<string, WatchKind>> = { '2': 'write', '3': 'read', '4': 'access' };

/** The breakpoints and watchpoints of a session: `Z` and `z` packets. */
export class Breakpoints {
  readonly #target: GdbTarget;
  /** Kinds of breakpoints at each address; both are one thing here, but gdb counts them apart. */
  readonly #kinds = new Map<bigint, Set<'swbreak' | 'hwbreak'>>();

  constructor(target: GdbTarget) {
    this.#target = target;
  }

  /** Handles a packet `Ztype,address,kind` or `ztype,...`. */
  handle(packet: string): string {
    const match = /^([Zz])([0-4]),([0-9a-fA-F]+),([0-9a-fA-F]+)$/.exec(packet);
    // types that gdb may invent are not supported, which is said by an empty answer
    if (match === null) return /^[Zz][0-4],/.test(packet) ? INVALID : '';
    const address = parseAddress(match[3]!);
    const length = parseCount(match[4]!);
    if (address === undefined || length === undefined) return INVALID;
    const insert = match[1] === 'Z';
    const kind = WATCH_KINDS[match[2]!];
    if (kind === undefined) return this.#breakpoint(insert, match[2] === '0' ? 'swbreak' : 'hwbreak', address);
    return length === 0 ? INVALID : this.#watchpoint(insert, { address, length, kind });
  }

  #breakpoint(insert: boolean, kind: 'swbreak' | 'hwbreak', address: bigint): string {
    const kinds = this.#kinds.get(address) ?? new Set();
    if (insert) {
      if (!this.#target.setBreakpoint(address)) return NO_ROOM;
      this.#kinds.set(address, kinds.add(kind));
      return OK;
    }
    kinds.delete(kind);
    if (kinds.size > 0) return OK;
    this.#kinds.delete(address);
    this.#target.clearBreakpoint(address);
    return OK;
  }

  #watchpoint(insert: boolean, watchpoint: Watchpoint): string {
    if (insert) return this.#target.setWatchpoint(watchpoint) ? OK : NO_ROOM;
    this.#target.clearWatchpoint(watchpoint);
    return OK;
  }

  /** What kind of breakpoint is at an address. */
  nameAt(address: bigint): BreakpointName {
    const kinds = this.#kinds.get(address);
    if (kinds === undefined) return '';
    return kinds.has('swbreak') ? 'swbreak' : 'hwbreak';
  }

  /** Removes all. */
  clear(): void {
    this.#kinds.clear();
    this.#target.clearAll();
  }
}
