import { little } from './encode.ts';
import { Hazards } from './hazards.ts';
import { END_VECTOR } from './places.ts';
import { pointer } from './processor.ts';
import type { Fix, Happening, Program } from './program.ts';
import { Random } from './random.ts';
import { WORLD_NAMES, type WorldName, world } from './world.ts';

const CONDITION = { equal: 4, notEqual: 5 } as const;
/** Where counters and tables are in the first data page. */
const WORDS = { outer: 0x10, counters: 0x20, table: 0x80, pointers: 0x100 } as const;

/** Options of {@link generateProgram}. */
export interface GenerateProgramOptions {
  readonly worlds?: readonly WorldName[];
  /** Leaves out faults, devices and code that changes, to look at plain translation only. */
  readonly plain?: boolean;
}

/** Makes the program of a seed. */
export function generateProgram(seed: number, options: GenerateProgramOptions = {}): Program {
  const random = new Random(seed);
  const names = options.worlds ?? WORLD_NAMES;
  // 64-bit programs are most of what is run
  const name = random.weighted(names.map((n) => [n.startsWith('long') ? 3 : n === 'real' ? 0.7 : 1, n] as const));
  return new Generator(random, world(name), options.plain === true).make(seed);
}

class Generator extends Hazards {
  /** The program of a seed. */
  make(seed: number): Program {
    const r = this.random;
    const w = this.world;
    const start = this.labels++;
    const resume = this.labels++;
    this.smc = !this.plain && r.chance(0.4);
    for (let i = r.int(4); i > 0; i--) this.functions.push(this.labels++);
    const rounds = r.weighted([
      [3, r.between(2, 10)],
      [2, r.between(20, 60)],
      [1, r.between(100, 400)],
    ]);
    this.words.push({ at: WORDS.outer, value: rounds });
    this.add({ bytes: [], label: start });
    this.block(
      r.weighted([
        [3, r.between(3, 12)],
        [2, r.between(12, 40)],
        [1, r.between(40, 90)],
      ]),
    );
    // dec dword [outer]; jnz start
    this.add({ ...this.absolute([...this.wide32(), 0xff], 1, w.data + WORDS.outer), label: resume });
    this.jcc(CONDITION.notEqual, start);
    this.add({ bytes: [0xcd, END_VECTOR] });
    for (const label of this.functions) {
      this.add({ bytes: [], label });
      this.nesting = 2;
      this.block(r.between(1, 10));
      this.add({ bytes: r.chance(0.1) ? [0xc2, 0, 0] : [0xc3] });
    }
    return {
      seed,
      world: w.name,
      units: this.units,
      offset: r.weighted([
        [3, r.int(256)],
        [2, 0x1000 - r.between(1, 200)],
        [1, r.int(w.codeSize >>> 1)],
      ]),
      happenings: this.happenings(),
      stateSeed: r.u32(),
      words: this.words,
      resumeLabel: resume,
      limit: r.weighted([
        [3, 1500],
        [2, 6000],
        [1, 25_000],
      ]),
    };
  }

  happenings(): Happening[] {
    const r = this.random;
    const out: Happening[] = [];
    if (!r.chance(this.plain ? 0.3 : 0.7)) return out;
    for (let n = r.between(1, 6); n > 0; n--) {
      const what = r.weighted<Happening['what']>([
        [5, 'irq'],
        [1, 'nmi'],
        [1, 'clean'],
        [1, 'missing'],
        [1, 'dma'],
        [0.5, 'flush'],
      ]);
      out.push({
        at: r.between(1, r.chance(0.5) ? 200 : 1500),
        what,
        value: what === 'irq' ? 0x40 | r.int(8) : r.u32(),
      });
    }
    return out.sort((a, b) => a.at - b.at);
  }

  block(count: number): void {
    for (let i = 0; i < count; i++) this.item();
  }

  item(): void {
    const r = this.random;
    const plain = this.plain;
    const w = this.world;
    r.weighted<() => void>([
      [50, () => this.straight()],
      [9, () => this.reload()],
      [9, () => this.flags()],
      [7, () => this.forward()],
      [this.nesting < 2 ? 5 : 0, () => this.loop()],
      [this.functions.length > 0 ? 5 : 0, () => this.call()],
      [3, () => this.table()],
      [5, () => this.stack()],
      [4, () => this.string()],
      [this.smc ? 6 : 0, () => this.modify()],
      [2, () => this.divide()],
      [2, () => this.patchableUnit()],
      [1.5, () => this.crossing()],
      [plain ? 0 : 3, () => this.device()],
      [plain ? 0 : 3, () => this.fault()],
      [plain ? 0 : 3, () => this.system()],
      [plain || w.bits === 16 ? 0 : 1, () => this.add({ bytes: [0x0f, r.pick([0xa2, 0x31])] })],
    ])();
  }

  straight(): void {
    const unit = this.encoder.instruction();
    if (this.random.chance(0.1)) {
      const label = this.labels++;
      this.labelled.push(label);
      this.add({ ...unit, label });
    } else this.add(unit);
  }

  /** mov pointer, address in the data area */
  reload(): void {
    const r = this.random;
    const { bits } = this.world;
    const reg = r.pick(this.encoder.pointers);
    const rex = reg & 8 ? [0x41] : [];
    this.add({ bytes: [...rex, 0xb8 | (reg & 7), ...little(pointer(r, this.world), bits === 16 ? 2 : 4)] });
  }

  /** An instruction that makes flags and one that uses them, perhaps with something between. */
  flags(): void {
    const r = this.random;
    const e = this.encoder;
    this.add(
      e.named(
        'add',
        'sub',
        'cmp',
        'test',
        'and',
        'or',
        'xor',
        'inc',
        'dec',
        'neg',
        'adc',
        'sbb',
        'shl',
        'shr',
        'sar',
        'rol',
        'rcr',
        'shld',
        'bt',
        'bsf',
        'mul',
        'imul2',
        'cmpxchg',
        'xadd',
        'sahf',
        'comisd',
        'ucomiss',
      ),
    );
    if (r.chance(0.3))
      this.add(e.named('mov', 'lea', 'inc', 'dec', 'movzx', 'not', 'bswap', 'paddb', 'xchg', 'shl', 'rcl'));
    if (r.chance(0.4)) {
      const label = this.labels++;
      this.jcc(r.int(16), label);
      this.add(e.instruction());
      this.add({ bytes: [], label });
    } else this.add(e.named('setcc', 'cmovcc', 'adc', 'sbb', 'rcl', 'rcr', 'lahf', 'pushf', 'cmc', 'salc', 'daa'));
  }

  /** A branch over some instructions. */
  forward(): void {
    const r = this.random;
    const label = this.labels++;
    const wide = this.world.bits === 16 ? 2 : 4;
    r.weighted<() => void>([
      [6, () => this.jcc(r.int(16), label)],
      [
        1,
        () => this.add({ bytes: [0xe9, ...little(0, wide)], fixes: [{ at: 1, bytes: wide, label, relative: true }] }),
      ],
      [
        2,
        () =>
          this.add({
            bytes: [r.pick([0xe0, 0xe1, 0xe2, 0xe3]), 0],
            fixes: [{ at: 1, bytes: 1, label, relative: true }],
          }),
      ],
    ])();
    const short = this.units.at(-1)!.bytes.length === 2;
    if (short) for (let i = r.between(1, 4); i > 0; i--) this.add(this.encoder.instruction());
    else this.block(r.between(1, 6));
    this.add({ bytes: [], label });
  }

  /** A counted loop, with the counter in memory or in a register that nothing else uses. */
  loop(): void {
    const r = this.random;
    const w = this.world;
    const label = this.labels++;
    const count = r.chance(0.8) ? r.between(2, 12) : r.between(20, 100);
    this.nesting++;
    if (r.chance(0.1)) {
      // mov ecx, count; ...; loop
      this.add({ bytes: [0xb9, ...little(count, w.bits === 16 ? 2 : 4)] });
      this.add({ bytes: [], label });
      for (let i = r.int(3); i >= 0; i--)
        this.add(this.encoder.named('add', 'mov', 'xor', 'addps', 'paddw', 'shl', 'adc'));
      this.add({ bytes: [r.pick([0xe0, 0xe1, 0xe2, 0xe2]), 0], fixes: [{ at: 1, bytes: 1, label, relative: true }] });
    } else if (w.bits === 64 && r.chance(0.6)) {
      const reg = 13 + this.nesting;
      this.add({ bytes: [0x41, 0xb8 | (reg & 7), ...little(count, 4)] });
      this.add({ bytes: [], label });
      this.block(r.between(1, 8));
      if (r.chance(0.5)) this.add({ bytes: [0x41, 0xff, 0xc8 | (reg & 7)] });
      else this.add({ bytes: [0x49, 0x83, 0xe8 | (reg & 7), 1] });
      this.jcc(CONDITION.notEqual, label);
    } else {
      const address = w.data + WORDS.counters + 4 * (this.counters++ & 15);
      this.add(this.absolute([...this.wide32(), 0xc7], 0, address, little(count, 4)));
      this.add({ bytes: [], label });
      this.block(r.between(1, 8));
      this.add(this.absolute([...this.wide32(), 0xff], 1, address));
      this.jcc(CONDITION.notEqual, label);
    }
    this.nesting--;
  }

  call(): void {
    const r = this.random;
    const { bits } = this.world;
    const label = r.pick(this.functions);
    const wide = bits === 16 ? 2 : 4;
    const fixes = (at: number, relative: boolean): Fix[] => [{ at, bytes: wide, label, relative }];
    r.weighted<() => void>([
      [4, () => this.add({ bytes: [0xe8, ...little(0, wide)], fixes: fixes(1, true) })],
      // mov eax, function; call rax
      [
        2,
        () => this.add({ bytes: [0xb8, ...little(0, wide), 0xff, 0xd0], starts: [1 + wide], fixes: fixes(1, false) }),
      ],
      [
        1,
        () => {
          const at = WORDS.pointers + 8 * r.int(8);
          this.words.push({ at, label });
          this.add(this.absolute([0xff], 2, this.world.data + at));
        },
      ],
      // push return address and function; ret
      [
        0.7,
        () => {
          const back = this.labels++;
          const push = 1 + wide;
          this.add({
            bytes: [0x68, ...little(0, wide), 0x68, ...little(0, wide), 0xc3],
            starts: [push, 2 * push],
            fixes: [
              { at: 1, bytes: wide, label: back, relative: false },
              { at: 1 + push, bytes: wide, label, relative: false },
            ],
          });
          this.add({ bytes: [], label: back });
        },
      ],
    ])();
  }

  /** A jump through a table of addresses. */
  table(): void {
    const r = this.random;
    const w = this.world;
    const entries = r.pick([2, 4]);
    const at = WORDS.table + 0x20 * r.int(4);
    const end = this.labels++;
    const labels = Array.from({ length: entries }, () => this.labels++);
    labels.forEach((label, i) => void this.words.push({ at: at + (i * w.bits) / 8, label }));
    const address = w.data + at;
    if (w.bits === 16) {
      // and bx, entries - 1; add bx, bx; jmp [bx + table]
      this.add({ bytes: [0x83, 0xe3, entries - 1, 0x01, 0xdb, 0xff, 0xa7, ...little(address, 2)], starts: [3, 5] });
    } else {
      const scale = w.bits === 64 ? 3 : 2;
      this.add({ bytes: [0x83, 0xe0, entries - 1, 0xff, 0x24, 5 | (scale << 6), ...little(address, 4)], starts: [3] });
    }
    const wide = w.bits === 16 ? 2 : 4;
    labels.forEach((label) => {
      this.add({ bytes: [], label });
      for (let i = r.int(3); i >= 0; i--) this.add(this.encoder.instruction());
      if (r.chance(0.7))
        this.add({ bytes: [0xe9, ...little(0, wide)], fixes: [{ at: 1, bytes: wide, label: end, relative: true }] });
    });
    this.add({ bytes: [], label: end });
  }

  stack(): void {
    const r = this.random;
    const e = this.encoder;
    const reg = (): number => r.pick(e.free) & 7;
    r.weighted<() => void>([
      [
        4,
        () => {
          this.add({ bytes: [0x50 | reg()] });
          for (let i = r.int(3); i > 0; i--) this.add(e.instruction());
          this.add({ bytes: [0x58 | reg()] });
        },
      ],
      [1, () => this.add({ bytes: [0x9c, 0x58 | reg()], starts: [1] })],
      // push imm with arithmetic flags (and TF, AC now and then); popf
      [
        1,
        () => {
          const flags = (r.u32() & 0x8d5) | 0x202 | (r.chance(0.1) ? 0x100 : 0) | (r.chance(0.1) ? 0x400 : 0);
          const wide = this.world.bits === 16 ? 2 : 4;
          this.add({ bytes: [0x68, ...little(flags, wide), 0x9d], starts: [1 + wide] });
          if (flags & 0x400) this.add({ bytes: [0xfc] });
        },
      ],
      [
        0.2,
        () => {
          // alignment checks on for a few instructions
          if (this.world.bits === 16) return;
          this.add({ bytes: [0x68, 2, 2, 4, 0, 0x9d], starts: [5] });
          for (let i = r.int(6); i >= 0; i--) this.add(e.instruction());
          this.add({ bytes: [0x68, 2, 2, 0, 0, 0x9d], starts: [5] });
        },
      ],
      [
        1,
        () => {
          // enter; ...; leave
          this.add({ bytes: [0xc8, r.int(64), 0, r.chance(0.7) ? 0 : r.int(4)] });
          for (let i = r.int(3); i > 0; i--) this.add(e.instruction());
          this.add({ bytes: [0xc9] });
        },
      ],
      [
        0.5,
        () => {
          if (this.world.bits === 64) return;
          this.add({ bytes: [0x60] });
          this.add(e.instruction());
          this.add({ bytes: [0x61] });
        },
      ],
      [1, () => this.add(r.chance(0.5) ? { bytes: [0xff, 0x30 | 6] } : { bytes: [0x8f, 0x07] })],
      [0.3, () => this.add(e.named('push', 'pop'))],
    ])();
  }

  string(): void {
    const r = this.random;
    const w = this.world;
    const wide = w.bits === 16 ? 2 : 4;
    const rep = r.weighted<number[]>([
      [3, [0xf3]],
      [1, [0xf2]],
      [1, []],
    ]);
    this.add({
      bytes: [0xbe, ...little(pointer(r, w), wide), 0xbf, ...little(pointer(r, w), wide)],
      starts: [1 + wide],
    });
    const count = r.weighted([
      [3, r.int(20)],
      [2, r.int(200)],
      [0.5, r.int(3000)],
    ]);
    this.add({ bytes: [0xb9, ...little(count, wide)] });
    const down = r.chance(0.15);
    if (down) this.add({ bytes: [0xfd] });
    const op = r.pick([
      0xa4,
      0xa5,
      0xa6,
      0xa7,
      0xaa,
      0xab,
      0xac,
      0xad,
      0xae,
      0xaf,
      ...(this.plain ? [] : [0x6c, 0x6d, 0x6e, 0x6f]),
    ]);
    const prefix = w.bits === 64 && op & 1 && r.chance(0.4) ? [0x48] : r.chance(0.1) ? [0x66] : [];
    this.add({ bytes: prefix[0] === 0x66 ? [0x66, ...rep, op] : [...rep, ...prefix, op] });
    if (down) this.add({ bytes: [0xfc] });
  }

  divide(): void {
    const r = this.random;
    const b = this.world.bits;
    if (r.chance(0.6)) {
      // xor edx, edx; or ecx, 1; div ecx
      this.add({
        bytes: [0x31, 0xd2, 0x83, 0xc9, 1, ...(b === 64 && r.chance(0.5) ? [0x48] : []), 0xf7, r.pick([0xf1, 0xf9])],
        starts: [2, 5],
      });
    } else this.add(this.encoder.named('div', 'idiv', ...(b === 64 ? [] : ['aam', 'bound'])));
  }
}
