/*
 * What changes of privilege cost: `node -C @sterna/source packages/cpu-x86/test/system/transition-bench.ts`. Prints
 * nanoseconds for each, the best of several rounds.
 */
import { AT, Box, SEL } from './box.ts';

const N = 200_000;

/** CPU time of this thread; the wall clock would count what else runs on the machine. */
function cpuMicroseconds(): number {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}

/** Runs code that ends with HLT after `N` iterations; ns an iteration. */
function measure(name: string, prepare: (b: Box) => void): void {
  let best = Infinity;
  const b = new Box();
  for (let i = 0; i < 6; i++) {
    b.enter('user64');
    b.state.setBig('lstar', BigInt(AT.handlers + 0x800));
    b.state.setBig('star', (BigInt(SEL.data32) << 32n) | (BigInt(SEL.user32) << 48n));
    b.state.setBig('cr4', 0x6a0n);
    b.state.setBig('regs', BigInt(N), 3);
    prepare(b);
    b.cpu.stateChanged();
    const start = cpuMicroseconds();
    while (b.cpu.run(1 << 28) !== 1);
    best = Math.min(best, ((cpuMicroseconds() - start) * 1000) / N);
  }
  console.log(`${name}: ${best.toFixed(0)} ns`);
}

const loop = (body: string): string => `again:\n${body}\ndec ebx\njnz again\nhlt`;
const handler = AT.handlers + 0x900;

measure('empty loop', (b) => b.code('user64', loop('nop')));
measure('SYSCALL and SYSRET', (b) => {
  b.code('user64', loop('syscall'));
  b.code('long', 'sysretq', AT.handlers + 0x800);
});
measure('SYSCALL, SWAPGS twice, SYSRET', (b) => {
  b.code('user64', loop('syscall'));
  b.code('long', 'swapgs\nswapgs\nsysretq', AT.handlers + 0x800);
});
measure('INT and IRET', (b) => {
  b.code('user64', loop('int 0x60'));
  b.code('long', 'iretq', handler);
  b.gate64(0x60, SEL.code64, handler, 0xee00);
});
measure('page fault and IRET', (b) => {
  b.code('user64', loop(`mov eax, [0x1f0000]\nback: nop`));
  b.write64(b.pte(0x1f_0000), 0n);
  b.code('long', `add rsp, 8\nadd qword [rsp], 7\niretq`, handler);
  b.gate64(14, SEL.code64, handler, 0x8e00);
});
measure('CLI and STI', (b) => {
  b.flags(0x3002);
  b.code('user64', loop('cli\nsti\nnop'));
});
