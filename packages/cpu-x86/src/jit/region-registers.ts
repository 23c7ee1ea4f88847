import { type Code, type Hint, type Label, type Local, Node, Val } from '@sterna/wasm';
import { Machine } from '../semantics/machine.ts';

/** Register files that live in locals. */
export const File = { gpr: 0, xmm: 1 } as const;
/** A register file that lives in locals. */
export type File = (typeof File)[keyof typeof File];

const LANES = { f32: 'f32x4', f64: 'f64x2' } as const;

/** The vector of a register with its newer low lane. */
function withLane(m: Code, s: Slot): Val<'v128'> {
  const { local } = s.lane!;
  return m.replaceLane(LANES[local.type], s.local as Val<'v128'>, 0, local);
}

/** The low lane of a vector register as a number. */
interface Lane {
  readonly local: Local<'f32' | 'f64'>;
  /** The register's own local does not have it yet. */
  isNewer: boolean;
}

/** One guest register of a region. */
interface Slot {
  readonly local: Local;
  lane: Lane | undefined;
  /** Expressions that were handed out and mean the present value. A write moves them to a copy first. */
  aliases: Val[];
}

/** Guest registers in locals. */
export abstract class RegionRegisters extends Machine {
  /** Registers that this instruction writes only on some paths: reading them gives a copy. */
  protected unstable: [number, number] = [0, 0];
  readonly #files: [(Slot | undefined)[], (Slot | undefined)[]] = [[], []];
  #depth = 0;
  #ground = 0;

  /** Told of every access to a register in a local. */
  protected note(_file: File, _reg: number, _write: boolean): void {}

  // Depth: writes under a condition are not certain

  /** Whether the code being written runs whenever the instruction does. */
  protected get certain(): boolean {
    return this.#depth === this.#ground;
  }

  /** Takes the present nesting as that of a whole instruction. */
  protected beginInstruction(): void {
    this.#ground = this.#depth;
  }

  override openBlock(opcode: number): Label {
    this.#depth++;
    return super.openBlock(opcode);
  }

  override closeBlock(): void {
    super.closeBlock();
    this.#depth--;
  }

  override if(cond: Val<'i32'>, then: () => void, otherwise?: () => void, hint?: Hint): void {
    if (!cond.isConst) this.#depth++;
    super.if(cond, then, otherwise, hint);
  }

  // Registers

  protected slot(file: File, reg: number): Slot {
    let s = this.#files[file][reg];
    if (s === undefined) {
      s = { local: this.ownLocal(file === File.gpr ? 'i64' : 'v128'), aliases: [], lane: undefined };
      this.#files[file][reg] = s;
    }
    return s;
  }

  /** Local of a register. */
  registerLocal(file: File, reg: number): Local {
    return this.slot(file, reg).local;
  }

  /** Present value of a register; stays right when the register is written later. */
  protected readSlot(file: File, reg: number): Val {
    this.note(file, reg, false);
    const s = this.slot(file, reg);
    if (s.lane?.isNewer) {
      if (!this.certain) return this.let(withLane(this, s));
      this.#joinLane(s);
    }
    if ((this.unstable[file] >>> reg) & 1) return this.let(s.local);
    const v = new Val(s.local.type, Node.Local, s.local.op);
    v.lo = s.local.lo;
    s.aliases.push(v);
    return v;
  }

  protected writeSlot(file: File, reg: number, value: Val): void {
    this.note(file, reg, true);
    const s = this.slot(file, reg);
    this.#detach(s);
    this.set(s.local, value as never);
    this.#dropLane(s);
  }

  #detach(s: Slot): void {
    if (s.aliases.length === 0) return;
    const copy = this.local(s.local.type);
    this.set(copy, s.local as never);
    for (const a of s.aliases) a.lo = copy.lo;
    s.aliases = [];
  }

  /**
   * Forgets the expressions handed out, except those in `keep`; registers in `unsure` give up theirs for copies, because the
   * next instruction may write them on some paths only.
   */
  protected settle(keep: ReadonlySet<Val>, unsure: [number, number]): void {
    for (const file of [File.gpr, File.xmm] as const) {
      this.#files[file].forEach((s, reg) => {
        if (s === undefined || s.aliases.length === 0) return;
        s.aliases = s.aliases.filter((a) => keep.has(a));
        if ((unsure[file] >>> reg) & 1) this.#detach(s);
      });
    }
    for (const local of this.#oldLanes.splice(0)) this.#freeLanes[local.type].push(local);
    this.#files[File.xmm].forEach((s, reg) => {
      if (((unsure[File.xmm] >>> reg) & 1) === 0 || s?.lane === undefined) return;
      if (s.lane.isNewer) this.#joinLane(s);
      this.#dropLane(s);
    });
    this.unstable = unsure;
  }

  // Low lanes: chains of scalar operations go from number to number, and the vector is put together when somebody asks for it

  /** Whether low lanes are kept apart. */
  floatLanes = false;
  readonly #freeLanes: Record<'f32' | 'f64', Local<'f32' | 'f64'>[]> = { f32: [], f64: [] };
  /** Given up by the instruction being written, which may still use them. */
  #oldLanes: Local<'f32' | 'f64'>[] = [];

  /** The low lane of a vector register; stays right when the register is written later. */
  protected readLane(reg: number, type: 'f32' | 'f64'): Val<'f32' | 'f64'> {
    const s = this.slot(File.xmm, reg);
    if (s.lane?.local.type !== type || (this.unstable[File.xmm] >>> reg) & 1) {
      const v = this.readSlot(File.xmm, reg) as Val<'v128'>;
      const number = this.extractLane(LANES[type], v, 0) as Val<'f32' | 'f64'>;
      if (!this.#keepsLane(reg)) return this.let(number);
      this.#setLane(s, number, false);
    } else this.note(File.xmm, reg, false);
    const { local } = s.lane!;
    const v = new Val(type, Node.Local, local.op);
    v.lo = local.lo;
    return v;
  }

  /** Writes the low lane of a vector register and keeps the rest. */
  protected writeLane(reg: number, type: 'f32' | 'f64', value: Val<'f32' | 'f64'>): void {
    const s = this.slot(File.xmm, reg);
    if (!this.#keepsLane(reg) || (s.lane?.isNewer && s.lane.local.type !== type)) {
      const v = this.readSlot(File.xmm, reg) as Val<'v128'>;
      this.writeSlot(File.xmm, reg, this.replaceLane(LANES[type], v, 0, value));
      return;
    }
    this.note(File.xmm, reg, false);
    this.note(File.xmm, reg, true);
    this.#setLane(s, value, true);
  }

  #keepsLane(reg: number): boolean {
    return this.floatLanes && this.certain && ((this.unstable[File.xmm] >>> reg) & 1) === 0;
  }

  #setLane(s: Slot, value: Val<'f32' | 'f64'>, isNewer: boolean): void {
    const type = value.type;
    const local = this.#freeLanes[type].pop() ?? this.ownLocal(type);
    this.set(local, value as never);
    this.#dropLane(s);
    s.lane = { local, isNewer };
  }

  #dropLane(s: Slot): void {
    if (s.lane !== undefined) this.#oldLanes.push(s.lane.local);
    s.lane = undefined;
  }

  #joinLane(s: Slot): void {
    this.#detach(s);
    this.set(s.local, withLane(this, s));
    s.lane!.isNewer = false;
  }

  /** Statement: the registers' own locals have everything; lanes are forgotten. */
  protected joinLanes(): void {
    for (const s of this.#files[File.xmm]) {
      if (s?.lane?.isNewer) this.#joinLane(s);
      if (s !== undefined) this.#dropLane(s);
    }
  }

  /** Statement on a way out: the registers' own locals have everything. */
  protected joinLanesHere(): void {
    for (const s of this.#files[File.xmm]) if (s?.lane?.isNewer) this.set(s.local, withLane(this, s));
  }

  gprValue(reg: number): Val<'i64'> {
    return this.readSlot(File.gpr, reg) as Val<'i64'>;
  }

  setGprValue(reg: number, value: Val<'i64'>): void {
    this.writeSlot(File.gpr, reg, value);
  }
}
