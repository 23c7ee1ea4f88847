import type { Cr16 } from '../cr16.ts';
import type { Execute, Instruction } from '../decode/instruction.ts';
import { ADDRESS_MASK } from '../memory.ts';
import { FIRST_WIDE, RA, SP } from '../registers.ts';

/**
 * Goes through the registers of PUSH and POP: `words` words from `first` on, a wide register counting as two of them
 * where there is room for both.
 */
function eachRegister(
  first: number,
  words: number,
  act: (register: number, size: 2 | 4, offset: number) => void,
): void {
  for (let done = 0, register = first; done < words; register = (register + 1) & 15) {
    const size = register >= FIRST_WIDE && words - done > 1 ? 4 : 2;
    act(register, size, 2 * done);
    done += size / 2;
  }
}

/** Bytes of the frame: `destination` words, and RA where `immediate` says so. */
function frameSize(i: Instruction): number {
  return 2 * i.destination + (i.immediate ? 4 : 0);
}

/** PUSH: the first register at the lowest address, RA above all others. */
export const push: Execute = (cpu, i) => {
  const { registers, memory } = cpu;
  const size = frameSize(i);
  const frame = (registers.r[SP]! - size) >>> 0;
  memory.probe(frame & ADDRESS_MASK, size, true);
  eachRegister(i.source, i.destination, (register, bytes, offset) =>
    memory.write((frame + offset) & ADDRESS_MASK, bytes, registers.r[register]!),
  );
  if (i.immediate) memory.write((frame + size - 4) & ADDRESS_MASK, 4, registers.r[RA]!);
  registers.r[SP] = frame;
};

function popFrame(cpu: Cr16, i: Instruction): void {
  const { registers, memory } = cpu;
  const size = frameSize(i);
  const frame = registers.r[SP]!;
  memory.probe(frame & ADDRESS_MASK, size, false);
  eachRegister(i.source, i.destination, (register, bytes, offset) => {
    const value = memory.read((frame + offset) & ADDRESS_MASK, bytes);
    if (bytes === 4) registers.r[register] = value;
    else registers.setWord(register, value);
  });
  if (i.immediate) registers.r[RA] = memory.read((frame + size - 4) & ADDRESS_MASK, 4);
  registers.r[SP] = frame + size;
}

export const pop: Execute = popFrame;
/** POPRET: pops and returns to RA. */
export const popReturn: Execute = (cpu, i) => {
  popFrame(cpu, i);
  cpu.next = (cpu.registers.r[RA]! << 1) & ADDRESS_MASK;
};
