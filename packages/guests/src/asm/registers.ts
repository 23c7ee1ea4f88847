/** Classes of register, as the instruction tables tell them apart. */
export type RegisterClass = 'gpr' | 'sreg' | 'cr' | 'dr' | 'st' | 'mm' | 'xmm';

/** A register by name. */
export interface Register {
  readonly name: string;
  readonly class: RegisterClass;
  /** Width in bits. */
  readonly size: number;
  /** Encoding, 0 to 15. */
  readonly number: number;
  /** AH, CH, DH, BH: cannot be used together with a REX prefix. */
  readonly high: boolean;
  /** SPL, BPL, SIL, DIL: need a REX prefix. */
  readonly needsRex: boolean;
}

/** All registers by lower-case name. */
export const REGISTERS: ReadonlyMap<string, Register> = new Map(
  [...generalRegisters(), ...numbered()].map((register) => [register.name, register]),
);

function make(name: string, cls: RegisterClass, size: number, number: number, extra: Partial<Register> = {}): Register {
  return { name, class: cls, size, number, high: false, needsRex: false, ...extra };
}

function generalRegisters(): Register[] {
  const old = ['ax', 'cx', 'dx', 'bx', 'sp', 'bp', 'si', 'di'];
  const out: Register[] = [];
  old.forEach((name, number) => {
    out.push(make(name, 'gpr', 16, number), make(`e${name}`, 'gpr', 32, number), make(`r${name}`, 'gpr', 64, number));
  });
  ['al', 'cl', 'dl', 'bl'].forEach((name, number) => {
    out.push(make(name, 'gpr', 8, number));
  });
  ['ah', 'ch', 'dh', 'bh'].forEach((name, index) => {
    out.push(make(name, 'gpr', 8, index + 4, { high: true }));
  });
  ['spl', 'bpl', 'sil', 'dil'].forEach((name, index) => {
    out.push(make(name, 'gpr', 8, index + 4, { needsRex: true }));
  });
  for (let number = 8; number < 16; number++)
    for (const [suffix, size] of [
      ['', 64],
      ['d', 32],
      ['w', 16],
      ['b', 8],
    ] as const)
      out.push(make(`r${number}${suffix}`, 'gpr', size, number));
  return out;
}

function numbered(): Register[] {
  const out: Register[] = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'].map((name, number) => make(name, 'sreg', 16, number));
  for (let number = 0; number < 16; number++) {
    out.push(make(`cr${number}`, 'cr', 64, number), make(`dr${number}`, 'dr', 64, number));
    out.push(make(`xmm${number}`, 'xmm', 128, number));
    if (number < 8) out.push(make(`mm${number}`, 'mm', 64, number), make(`st${number}`, 'st', 80, number));
  }
  return out;
}
