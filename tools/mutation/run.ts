/**
 * Mutation score of the migration core: how many small wrong changes to its sources make a unit test fail.
 *
 * `npm run mutation -- [--sample=N] [--seed=S] [FOLDER...]`: N mutants chosen by the seed (all of them with
 * `--sample=all`) in the folders of `packages/migration/src`, by default those of the stream and of both state machines.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Mutant, mutantsOf } from './mutants.ts';
import type { Answer } from './runner.ts';

/** Fast tests that together know the migration core; the simulation comes last, it knows the most and takes longest. */
const SUITE = [
  'packages/migration/test/{stream,vmstate,ram,source,destination,sections,inspect}/**/*.test.ts',
  'packages/migration/test/*.test.ts',
  'packages/migration/test/model/*.test.ts',
  'packages/migration/test/sim/simulation.test.ts',
];
const FOLDERS = ['source', 'destination', 'vmstate', 'stream', 'ram'];
/** A mutant that takes so many times as long as the unchanged sources is killed, and counts as found. */
const PATIENCE = 5;

type Outcome = 'killed' | 'survived' | 'timeout';

const root = join(import.meta.dirname, '../..');
/** A copy that may be spoiled; the packages it uses are the workspace's. */
const copy = mkdtempSync(join(tmpdir(), 'sterna-mutation-'));
for (const part of [
  'packages/migration/src',
  'packages/migration/test',
  'packages/migration/package.json',
  'packages/testkit/src',
  'packages/testkit/package.json',
  'package.json',
])
  cpSync(join(root, part), join(copy, part), { recursive: true });
linkModules(join(root, 'node_modules'), join(copy, 'node_modules'));
linkModules(join(root, 'node_modules/@sterna'), join(copy, 'node_modules/@sterna'));
process.on('exit', () => rmSync(copy, { recursive: true }));
const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { sample: { type: 'string', default: '150' }, seed: { type: 'string', default: '1' } },
});

/** The workspace's modules; the simulator must use the spoiled copy. */
function linkModules(from: string, to: string): void {
  mkdirSync(to);
  for (const name of readdirSync(from)) {
    if (name === '@sterna') continue;
    const copied = from.endsWith('@sterna') && ['migration', 'testkit'].includes(name);
    symlinkSync(copied ? join(copy, 'packages', name) : join(from, name), join(to, name));
  }
}

function allMutants(): Mutant[] {
  const folders = positionals.length > 0 ? positionals : FOLDERS;
  return folders.flatMap((folder) => {
    const path = `packages/migration/src/${folder}`;
    const names = readdirSync(join(copy, path)).filter((name) => name.endsWith('.ts'));
    return names.flatMap((name) => mutantsOf(`${path}/${name}`, readFileSync(join(copy, path, name), 'utf8')));
  });
}

/** The same choice for the same seed. */
function sample<T>(list: readonly T[], count: number, seed: number): T[] {
  let state = seed >>> 0 || 1;
  const rest = [...list];
  const chosen: T[] = [];
  while (chosen.length < count && rest.length > 0) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    chosen.push(...rest.splice(Math.floor((state / 2 ** 32) * rest.length), 1));
  }
  return chosen;
}

/** A vitest in a process of its own. */
class Runner {
  #child: ChildProcess | undefined;

  /** @returns undefined when the time is over, and the process with it */
  async run(mutant: Mutant | null, limitMs: number): Promise<Answer | undefined> {
    this.#child ??= await this.#start();
    const child = this.#child;
    const answer = new Promise<Answer | undefined>((resolve) => {
      const timer = setTimeout(() => resolve(undefined), limitMs);
      child.once('message', (message) => {
        clearTimeout(timer);
        resolve(message as Answer);
      });
      child.once('exit', () => {
        clearTimeout(timer);
        resolve({ failures: ['the runner ended'], ms: 0 });
      });
    });
    const file = mutant === null ? undefined : join(copy, mutant.file);
    const text = file === undefined ? '' : readFileSync(file, 'utf8');
    child.send(mutant as Mutant);
    const result = await answer;
    child.removeAllListeners();
    if (result === undefined || child.exitCode !== null) {
      this.stop();
      // It has died with a spoiled file.
      if (file !== undefined) writeFileSync(file, text);
    }
    return result;
  }
  stop(): void {
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }
  #start(): Promise<ChildProcess> {
    const child = fork(join(import.meta.dirname, 'runner.ts'), [copy, ...SUITE], {
      cwd: root,
      execArgv: ['-C', '@sterna/source'],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    return new Promise((resolve) => child.once('message', () => resolve(child)));
  }
}

const all = allMutants();
const chosen = values.sample === 'all' ? all : sample(all, Number(values.sample), Number(values.seed));
const runner = new Runner();
const unchanged = await runner.run(null, 600_000);
if (unchanged === undefined || unchanged.failures.length > 0) {
  console.error(`the suite fails without any mutant: ${unchanged?.failures.join('; ') ?? 'it never ends'}`);
  process.exit(1);
}
console.log(`${all.length} mutants, ${chosen.length} of them chosen; the suite takes ${Math.round(unchanged.ms)} ms`);
const outcomes = new Map<Outcome, number>();
for (const [i, mutant] of chosen.entries()) {
  const result = await runner.run(mutant, unchanged.ms * PATIENCE + 30_000);
  const outcome: Outcome = result === undefined ? 'timeout' : result.failures.length > 0 ? 'killed' : 'survived';
  outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  if (outcome === 'survived')
    console.log(`survived ${mutant.file}:${mutant.line}  ${mutant.was.split('\n')[0]}  ->  ${mutant.becomes}`);
  if ((i + 1) % 10 === 0) console.log(`${i + 1} done, ${outcomes.get('survived') ?? 0} survived`);
}
runner.stop();
const found = (outcomes.get('killed') ?? 0) + (outcomes.get('timeout') ?? 0);
console.log(
  `${found} of ${chosen.length} found (${outcomes.get('timeout') ?? 0} by time): score ${((found * 100) / chosen.length).toFixed(1)} %`,
);
