import type { DebugRegister } from '@sterna/core';
import { FIRST_WIDE, type Registers } from './registers.ts';

const GENERAL = ['r0', 'r1', 'r2', 'r3', 'r4', 'r5', 'r6', 'r7', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'ra', 'sp'];
/** Behind the general registers, in the order of GDB's CR16 target. */
const SPECIAL = ['pc', 'isp', 'usp', 'intbase', 'psr', 'cfg', 'dbs', 'dcr', 'dsr', 'car0', 'car1'] as const;

function view(name: string, bits: number, read: () => number, write: (value: number) => void): DebugRegister {
  return {
    name,
    bits,
    type: name === 'pc' ? 'code_ptr' : `uint${bits}`,
    read: () => BigInt(read() >>> 0),
    write: (value) => write(Number(BigInt.asUintN(bits, value))),
  };
}

/** All registers, in GDB's order. */
export function registerViews(registers: Registers): readonly DebugRegister[] {
  const { r } = registers;
  const general = GENERAL.map((name, n) =>
    view(
      name,
      n < FIRST_WIDE ? 16 : 32,
      () => r[n]!,
      (value) => {
        r[n] = value;
      },
    ),
  );
  const special = SPECIAL.map((name) =>
    view(
      name,
      32,
      () => registers[name],
      (value) => {
        registers[name] = name === 'pc' ? value & 0xff_fffe : value;
      },
    ),
  );
  return [...general, ...special];
}
