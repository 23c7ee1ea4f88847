import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { interpreter } from './bench.ts';
import type { Mismatch } from './compare.ts';
import { link, type Program } from './program.ts';
import { trace } from './trace.ts';
import { world } from './world.ts';

/** Text that shows a failing program and how its outcomes differ. */
export function report(mismatch: Mismatch): string {
  const { program, names } = mismatch;
  const w = world(program.world);
  const units = program.units.filter((u) => u.bytes.length > 0).length;
  return [
    `program ${program.seed} in ${program.world}: ${names[0]} | ${names[1]} differ between instruction ${mismatch.from} and ${mismatch.to}`,
    `${units} units at ${(w.code + program.offset).toString(16)}, data at ${w.data.toString(16)}, stack ${w.stackTop.toString(16)}, state seed ${program.stateSeed}`,
    ...program.happenings.map((h) => `at ${h.at}: ${h.what} ${h.value.toString(16)}`),
    ...program.words
      .slice(0, 40)
      .map((x) => `word ${x.at.toString(16)}: ${x.label === undefined ? x.value : `label ${x.label}`}`),
    listing(program),
    'executed one by one by the interpreter:',
    ...trace(program, interpreter, Math.max(0, mismatch.from - 8), Math.min(mismatch.to, mismatch.from + 30)),
    ...mismatch.lines.slice(0, 60).map((line) => `  ${line}`),
  ].join('\n');
}

/** The program as assembly where objdump is installed, else as hexadecimal. */
export function listing(program: Program): string {
  const w = world(program.world);
  const linked = link(program, w);
  const labels = [...linked.labels].sort((a, b) => a[1] - b[1]);
  const names = labels
    .filter(
      ([label]) => program.units.some((u) => u.fixes?.some((f) => f.label === label)) || label === program.resumeLabel,
    )
    .map(([label, at]) => `L${label}=${(w.code + at).toString(16)}`)
    .join(' ');
  const text: string[] = [names];
  const folder = mkdtempSync(join(tmpdir(), 'sterna-fuzz-'));
  try {
    const file = join(folder, 'code');
    writeFileSync(file, linked.code.subarray(program.offset, linked.end));
    const machine = w.bits === 64 ? 'i386:x86-64' : w.bits === 32 ? 'i386' : 'i8086';
    const vma = w.code + program.offset;
    const dump = spawnSync(
      'objdump',
      ['-D', '-b', 'binary', '-m', machine, '-M', 'intel', `--adjust-vma=${vma}`, file],
      { encoding: 'utf8' },
    );
    const inside = (line: string): boolean => {
      const at = Number.parseInt(line, 16) - w.code;
      return linked.ranges.some(([from, to]) => at >= from && at < to);
    };
    if (dump.status === 0)
      text.push(...dump.stdout.split('\n').filter((line) => /^\s*[0-9a-f]+:/.test(line) && inside(line)));
    else text.push(Buffer.from(linked.code.subarray(program.offset, linked.end)).toString('hex'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return text.join('\n');
}
