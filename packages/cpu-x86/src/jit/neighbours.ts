import type { Local, Val } from '@sterna/wasm';
import type { HandlerSpec } from '../decode/handler-spec.ts';
import { REC } from '../interp/records.ts';
import type { RegionBase } from './region-base.ts';

/** Most bytes of accesses that are checked together: the longer, the likelier that the next page begins among them. */
const MAX_SPAN = 256;
/** Fewer accesses are as fast one by one. */
const MIN_GROUP = 3;
const NO_REGISTER = 16;

/** The address of an access as a sum of registers, which may change, and a displacement. */
export interface Place {
  /** Record of the instruction; 0 when the address is not that of its memory operand. */
  readonly rec: number;
  /** Register fields and scale, as in records. */
  readonly base: number;
  readonly index: number;
  readonly scale: number;
  /** Page of the instruction where `base` stands for it, else 0. */
  readonly page: number;
  readonly disp: number;
  /** Linear address with another displacement, as an expression. */
  readonly at: (disp: number) => Val<'i64'>;
}

/** What must be known of the instructions that come next. */
export interface GroupMember {
  readonly rec: number;
  readonly page: number;
  readonly spec: HandlerSpec;
  readonly writes: readonly [gpr: number, xmm: number];
  readonly effects: { readonly way: string; readonly leaves: boolean };
}

/** Accesses at the same registers, found to be in one page together. */
export interface Group {
  /** Host address of `from`; too low for one where they are not. */
  readonly host: Local<'i32'>;
  readonly from: number;
  readonly to: number;
}

/** Finds accesses of a block that are close to each other, so that one look at the TLB does for them. */
export class Neighbours {
  ahead: readonly GroupMember[] = [];
  readonly #m: RegionBase;
  /** Counts the values that each register has had. */
  readonly #values = new Int32Array(NO_REGISTER);
  readonly #groups = new Map<string, Group[]>();
  readonly #aligned = new Set<string>();
  readonly #locals: Local<'i32'>[] = [];
  #used = 0;

  constructor(m: RegionBase) {
    this.#m = m;
  }

  /** Nothing is known any more. */
  forget(): void {
    this.#groups.clear();
    this.#aligned.clear();
    this.#used = 0;
  }

  /** A general register gets another value. */
  changed(reg: number): void {
    this.#values[reg]!++;
  }

  #key({ base, index, scale, page }: Place): string {
    const value = (field: number): string => {
      const reg = field >> 3;
      return reg < NO_REGISTER ? `${reg}v${this.#values[reg]}` : `${field}p${page}`;
    };
    return `${value(base)} ${value(index)} ${scale}`;
  }

  /** Whether the address is known to be a multiple of 16. */
  isAligned(place: Place): boolean {
    return this.#aligned.has(`${this.#key(place)} ${place.disp & 15}`);
  }

  /** Notes that it is, from here on. */
  align(place: Place): void {
    this.#aligned.add(`${this.#key(place)} ${place.disp & 15}`);
  }

  /** The group that an access belongs to, and whether its local is to be set now; undefined when it is alone. */
  of(place: Place, bytes: number, tag: number): (Group & { readonly isNew: boolean }) | undefined {
    if (place.rec === 0) return undefined;
    const key = `${this.#key(place)} ${tag}`;
    const list = this.#groups.get(key) ?? [];
    const old = list.find((g) => g.from <= place.disp && place.disp + bytes <= g.to);
    if (old !== undefined) return { ...old, isNew: false };
    const range = this.#range(place, bytes);
    if (range === undefined) return undefined;
    const host = this.#locals[this.#used++] ?? this.#newLocal();
    const group = { host, from: range[0], to: range[1] };
    this.#groups.set(key, [...list, group]);
    return { ...group, isNew: true };
  }

  #newLocal(): Local<'i32'> {
    const host = this.#m.ownLocal('i32');
    this.#locals.push(host);
    return host;
  }

  /** Displacements that the coming instructions access at the registers of a place; undefined when they are too few. */
  #range(place: Place, bytes: number): [from: number, to: number] | undefined {
    const { bytes: memory, view } = this.#m;
    let [from, to] = [place.disp, place.disp + bytes];
    let others = 0;
    for (const [i, s] of this.ahead.entries()) {
      if (i > 0) {
        if (s.effects.way !== 'inline') break;
        const op = s.spec.operands.find((o) => o.kind === 'mem');
        if (op?.kind === 'mem' && op.form !== 'moffs' && s.effects.leaves && this.#isAt(place, s, memory)) {
          const at = view.getInt32(s.rec + REC.disp, true);
          const [low, high] = [Math.min(from, at), Math.max(to, at + op.bits / 8)];
          if (high - low <= MAX_SPAN) {
            [from, to] = [low, high];
            others++;
          }
        }
      }
      const written = s.writes[0];
      const isWritten = (field: number): boolean => field >> 3 < NO_REGISTER && ((written >>> (field >> 3)) & 1) !== 0;
      if (isWritten(place.base) || isWritten(place.index)) break;
    }
    return others + 1 < MIN_GROUP ? undefined : [from, to];
  }

  #isAt(place: Place, s: GroupMember, memory: Uint8Array): boolean {
    return (
      memory[s.rec + REC.reg2] === place.base &&
      memory[s.rec + REC.scale] === memory[place.rec + REC.scale] &&
      memory[place.rec + REC.index] === memory[s.rec + REC.index] &&
      (place.page === 0 || s.page === place.page)
    );
  }
}
