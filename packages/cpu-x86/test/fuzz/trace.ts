import { Bench, type CpuFactory, NAMES } from './bench.ts';
import type { Program } from './program.ts';

/** The instructions from one count to another as executed one by one: count, mode, address and bytes at it. */
export function trace(program: Program, factory: CpuFactory, from: number, to: number): string[] {
  const bench = new Bench('trace', factory);
  bench.load(program);
  const s = bench.cpu.state;
  const out: string[] = [];
  const happenings = [...program.happenings];
  let before: bigint[] = [];
  while (bench.total < to) {
    while (happenings.length > 0 && happenings[0]!.at <= bench.total) bench.happen(happenings.shift()!);
    if (bench.total >= from) {
      const linear = (s.getBig('segBase', 1) + s.getBig('rip')) & 0xffff_ffff_ffff_ffffn;
      const physical = bench.cpu.translateDebug(linear);
      const bytes =
        physical === undefined || physical >= bench.ram.length
          ? '?'
          : Buffer.from(bench.ram.subarray(physical, physical + 12)).toString('hex');
      const now = NAMES.map((_, i) => s.getBig('regs', i));
      const changes = now.flatMap((x, i) => (before[i] === x ? [] : [`${NAMES[i]}=${x.toString(16)}`]));
      if (before.length > 0 && out.length > 0)
        out[out.length - 1] += `  ${changes.join(' ')} fl=${bench.cpu.rflags.toString(16)}`;
      before = now;
      out.push(`${bench.total}: ${linear.toString(16)} [${bytes}]`);
    }
    const total = bench.total;
    const exit = bench.run(1);
    if (bench.total === total || exit === 1 || exit === 2) {
      out.push(`exit ${exit}`);
      if (exit === 3) bench.setMissing(undefined);
      else if (exit !== 5 && exit !== 0) break;
    }
  }
  return out;
}
