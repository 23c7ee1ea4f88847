import { Encoder, little } from './encode.ts';
import type { Unit } from './program.ts';
import type { Random } from './random.ts';
import type { World } from './world.ts';

/** A program under construction. */
export class Composer {
  readonly random: Random;
  readonly world: World;
  readonly plain: boolean;
  readonly encoder: Encoder;
  readonly units: Unit[] = [];
  readonly words: { at: number; label?: number; value?: number }[] = [];
  /** Labels of units whose immediate may be changed by the program: label and offset of the immediate. */
  readonly patchable: { label: number; at: number }[] = [];
  readonly labelled: number[] = [];
  readonly functions: number[] = [];
  labels = 1;
  counters = 0;
  nesting = 0;
  smc = false;

  constructor(random: Random, w: World, plain: boolean) {
    this.random = random;
    this.world = w;
    this.plain = plain;
    this.encoder = new Encoder(random, w);
  }

  add(unit: Unit): void {
    this.units.push(unit);
  }

  /** Prefix for 32-bit operands. */
  wide32(): number[] {
    return this.world.bits === 16 ? [0x66] : [];
  }

  /** Opcode bytes with a memory operand at an absolute address. */
  absolute(opcode: readonly number[], reg: number, address: number, after: readonly number[] = []): Unit {
    const { bits } = this.world;
    const modrm = bits === 16 ? [6 | (reg << 3)] : bits === 32 ? [5 | (reg << 3)] : [4 | (reg << 3), 0x25];
    return { bytes: [...opcode, ...modrm, ...little(address, bits === 16 ? 2 : 4), ...after] };
  }

  jcc(condition: number, label: number): void {
    const wide = this.world.bits === 16 ? 2 : 4;
    this.add({
      bytes: [0x0f, 0x80 | condition, ...little(0, wide)],
      fixes: [{ at: 2, bytes: wide, label, relative: true }],
    });
  }
}
