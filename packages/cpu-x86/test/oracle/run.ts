import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { type Chunk, type Comparison, chunksOf, compare, ENGINES, type EngineName, type Mismatch } from './compare.ts';
import { GROUPS } from './groups.ts';

const OPTIONS = {
  count: { type: 'string', default: '20000' },
  seed: { type: 'string', default: '1' },
  isa: { type: 'string' },
  modes: { type: 'string' },
  only: { type: 'string' },
  groups: { type: 'string' },
  show: { type: 'string', default: '3' },
  jobs: { type: 'string', default: '1' },
  job: { type: 'string', default: '0' },
  jit: { type: 'string', default: 'off' },
  json: { type: 'boolean', default: false },
} as const;

/** Result of a chunk as the processes of a run tell it. */
interface Report extends Comparison {
  readonly group: string;
  readonly seed: number;
}

/**
 * Command line: compares the CPU with the host processor and prints the differences by instruction name.
 *
 *     run.ts --count 2000000 --jobs 2 [--seed N] [--groups x87,mmx] [--jit on]     all groups, each by its share
 *     run.ts --isa sse41 [--only REGEX] [--modes 64,32,16] [--count N] [--seed N]   as the generator's options say
 */
async function main(): Promise<void> {
  const { values } = parseArgs({ options: OPTIONS });
  if (!(values.jit in ENGINES)) throw new Error(`--jit takes ${Object.keys(ENGINES).join(' or ')}`);
  const engine = values.jit as EngineName;
  const [count, seed, jobs] = [Number(values.count), Number(values.seed), Number(values.jobs)];
  if (values.isa !== undefined || values.only !== undefined) {
    const { isa = 'x86', modes, only } = values;
    const options = {
      count,
      seed,
      isa,
      ...(modes === undefined ? {} : { modes }),
      ...(only === undefined ? {} : { only }),
    };
    const result = compare(options, true, engine);
    print([{ group: isa, seed, ...result }], Number(values.show));
    return;
  }
  const names = values.groups?.split(',');
  const groups = GROUPS.filter(({ name }) => names === undefined || names.includes(name));
  const chunks = chunksOf(groups, count, seed);
  const job = Number(values.job);
  if (values.json) {
    for (const chunk of chunks.filter((_, i) => i % jobs === job)) {
      process.stdout.write(`${JSON.stringify(runChunk(chunk, engine))}\n`);
    }
    return;
  }
  const started = Date.now();
  const reports: Report[] = [];
  if (jobs === 1) for (const chunk of chunks) reports.push(runChunk(chunk, engine));
  else await Promise.all(Array.from({ length: jobs }, (_, i) => child(i, (report) => reports.push(report))));
  print(reports, Number(values.show));
  const seconds = (Date.now() - started) / 1000;
  console.log(`seeds ${seed} to ${seed + chunks.length - 1}, ${seconds.toFixed(0)} s`);
}

function runChunk({ group, seed, count }: Chunk, engine: EngineName): Report {
  const { name, isa, only } = group;
  const options = { count, seed, ...(isa === undefined ? {} : { isa }), ...(only === undefined ? {} : { only }) };
  return { group: name, seed, ...compare(options, group.max === true, engine, false) };
}

/** Runs this program for every `jobs`-th chunk in a process of its own. */
function child(job: number, take: (report: Report) => void): Promise<void> {
  const program = spawn(
    process.execPath,
    [...process.execArgv, ...process.argv.slice(1), '--json', '--job', String(job)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  createInterface({ input: program.stdout }).on('line', (line) => take(JSON.parse(line) as Report));
  return new Promise((resolve, reject) => {
    program.on('close', (code) => (code === 0 ? resolve() : reject(new Error(`process ${job} ended with ${code}`))));
  });
}

function print(reports: readonly Report[], show: number): void {
  const bad = new Map<string, string[]>();
  const seen = new Map<string, number>();
  const groups = new Map<string, { total: number; wrong: number }>();
  for (const { group, total, byName, wrong } of reports) {
    const sum = groups.get(group) ?? { total: 0, wrong: 0 };
    groups.set(group, { total: sum.total + total, wrong: sum.wrong + wrong.length });
    for (const [name, n] of Object.entries(byName)) seen.set(name, (seen.get(name) ?? 0) + n);
    for (const { name, text } of wrong as readonly Mismatch[]) bad.set(name, [...(bad.get(name) ?? []), text]);
  }
  for (const [name, list] of [...bad].sort((a, b) => b[1].length - a[1].length)) {
    console.log(`${name}: ${list.length} of ${seen.get(name)}`);
    for (const text of list.slice(0, show)) console.log(`  ${text}`);
  }
  const line = (name: string, total: number, wrong: number): void =>
    console.log(
      `${name.padEnd(14)} ${String(total).padStart(8)} vectors ${String(wrong).padStart(6)} differ  ${(100 * (1 - wrong / total)).toFixed(4)} % agree`,
    );
  let [all, allWrong] = [0, 0];
  for (const { name } of [...GROUPS, ...[...groups.keys()].map((name) => ({ name }))]) {
    const sum = groups.get(name);
    if (sum === undefined) continue;
    groups.delete(name);
    all += sum.total;
    allWrong += sum.wrong;
    line(name, sum.total, sum.wrong);
  }
  line('all', all, allWrong);
  const translated = reports.reduce((sum, report) => sum + report.translated, 0);
  if (translated > 0) console.log(`${translated} ran translated`);
}

await main();
