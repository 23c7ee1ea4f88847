/*
 * What CR3 loads, INVLPG and system calls cost: `node -C @sterna/source packages/cpu-x86/test/system/tlb-bench.ts`.
 * Prints nanoseconds an iteration; rows with touched pages contain the walks that a flush causes.
 */
import { AT, Box } from './box.ts';

/** CPU time of this thread; the wall clock would count what else runs on the machine. */
function cpuMicroseconds(): number {
  const { user, system } = process.threadCpuUsage();
  return user + system;
}

/** Runs code in a loop of `n` iterations at CPL 0 and returns ns an iteration, the best of several. */
function measure(setup: (b: Box) => void, body: string, n: number): number {
  const b = new Box();
  b.enter('long');
  setup(b);
  b.code('long', `mov ecx, ${n}\nagain:\n${body}\ndec ecx\njnz again\nhlt`);
  let best = Infinity;
  for (let i = 0; i < 6; i++) {
    b.state.setBig('rip', BigInt(AT.code));
    b.state.set('halted', 0);
    const start = cpuMicroseconds();
    while (b.cpu.run(1 << 28) !== 1);
    best = Math.min(best, ((cpuMicroseconds() - start) * 1000) / n);
  }
  return best;
}

const N = 100_000;
/** Global pages in the first 2 MiB but for the touched ones, which begin at 1 MiB. */
const PAGES = 0x14_0000;
function globals(count: number): (b: Box) => void {
  return (b) => {
    b.state.setBig('cr4', 0x6a0n);
    for (let i = 0; i < 512; i++) {
      const touched = i >= PAGES >>> 12 && i < (PAGES >>> 12) + count;
      b.write64(AT.pml4 + 0x3000 + i * 8, BigInt((i << 12) | (touched ? 0x63 : 0x163)));
    }
    b.state.setBig('regs', BigInt(AT.pml4), 0);
    b.cpu.stateChanged();
  };
}
const touch = (count: number): string =>
  Array.from({ length: count }, (_, i) => `mov rbx, [0x${(PAGES + i * 4096).toString(16)}]`).join('\n');

for (const count of [0, 16, 64, 128]) {
  const rest = measure(globals(count), touch(count), N);
  const all = measure(globals(count), `mov cr3, rax\n${touch(count)}`, N);
  console.log(`CR3 load, ${count} pages touched after it: ${(all - rest).toFixed(0)} ns`);
}
const walked = measure(globals(64), `invlpg [0x${PAGES.toString(16)}]\n${touch(1)}`, N);
console.log(`INVLPG and one walk: ${walked.toFixed(0)} ns`);
const bare = measure(globals(0), `invlpg [0x${PAGES.toString(16)}]`, N);
console.log(`INVLPG: ${bare.toFixed(0)} ns`);
const far = measure(
  globals(0),
  `invlpg [0x${PAGES.toString(16)}]\ncall f\ncall f\ncall f\ncall f\njmp over\nf: ret\nover:`,
  N,
);
console.log(`INVLPG and four calls: ${far.toFixed(0)} ns`);
const calls = measure(globals(0), 'call f\ncall f\ncall f\ncall f\njmp over\nf: ret\nover:', N);
console.log(`four calls: ${calls.toFixed(0)} ns`);
const cr3 = measure(globals(0), `mov cr3, rax\ncall f\ncall f\ncall f\ncall f\njmp over\nf: ret\nover:`, N);
console.log(`CR3 load and four calls: ${cr3.toFixed(0)} ns`);
