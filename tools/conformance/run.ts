/**
 * `node -C @sterna/source tools/conformance/run.ts [--suite kvm-unit-tests|test386] [--only NAME,...] [--on sterna,qemu]
 * [--kvm-unit-tests FOLDER] [--test386 ROM] [--post-port N] [--fetch] [--json] [--show]`: conformance suites as external
 * programs, under Sterna and the QEMUs at hand, test by test.
 *
 * The suites are not part of this project. `--fetch` brings their sources to the cache; they are built there, or
 * anywhere, as their own documentation says. Without built programs a suite is left out, and the output says so.
 */
import { parseArgs } from 'node:util';
import { KVM_UNIT_TESTS, runUnitTest, UNIT_TESTS, type UnitResult, unitTestFolder } from './kvm-unit-tests.ts';
import { type Emulator, qemus, STERNA } from './programs.ts';
import { fetchSource } from './sources.ts';
import { runTest386, TEST386, type Test386Result, test386Rom } from './test386.ts';

const { values } = parseArgs({
  options: {
    suite: { type: 'string' },
    only: { type: 'string' },
    on: { type: 'string', default: 'sterna,qemu' },
    'kvm-unit-tests': { type: 'string' },
    test386: { type: 'string' },
    'post-port': { type: 'string', default: '0x190' },
    fetch: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    show: { type: 'boolean', default: false },
  },
});

const say = (text: string): void => console.error(text);
const print = (text: string): void => console.log(text);
const on = values.on.split(',');
const emulators: readonly Emulator[] = [
  ...(on.includes('sterna') ? [STERNA] : []),
  ...(on.includes('qemu') ? qemus() : []),
];
const wants = (suite: string): boolean => values.suite === undefined || values.suite === suite;
const report: Record<string, unknown> = {};

if (values.fetch) {
  for (const source of [KVM_UNIT_TESTS, TEST386]) {
    fetchSource(source);
    say(`${source.url} is in ${source.folder}; build it as its README says`);
  }
}
if (wants('kvm-unit-tests')) await unitTests();
if (wants('test386')) await test386();
if (values.json) print(JSON.stringify(report, undefined, 2));

async function unitTests(): Promise<void> {
  const folder = unitTestFolder(values['kvm-unit-tests']);
  if (folder === undefined) {
    say(`no built kvm-unit-tests: give --kvm-unit-tests FOLDER or ${KVM_UNIT_TESTS.environment}, or use --fetch`);
    return;
  }
  const only = values.only?.split(',');
  const tests = UNIT_TESTS.filter(({ name, file }) => only === undefined || only.includes(name) || only.includes(file));
  const rows: { readonly name: string; readonly counted: boolean; readonly results: UnitResult[] }[] = [];
  for (const test of tests) {
    const results: UnitResult[] = [];
    for (const emulator of emulators) {
      const result = await runUnitTest(folder, test, emulator);
      results.push(result);
      say(`${test.name} (${emulator.name}): ${cell(result)}, ${result.seconds.toFixed(1)} s`);
      if (values.show) say(result.output);
    }
    rows.push({ name: test.name, counted: test.counted, results });
  }
  const passed = emulators.map(
    (_, i) => rows.filter(({ counted, results }) => counted && results[i]!.verdict === 'pass').length,
  );
  report['kvmUnitTests'] = {
    emulators: emulators.map(({ name }) => name),
    passed,
    tests: rows.map(({ name, counted, results }) => ({
      name,
      counted,
      results: results.map(({ verdict, seconds, detail }) => ({ verdict, seconds, detail })),
    })),
  };
  if (values.json) return;
  print(`| test | ${emulators.map(({ name }) => name).join(' | ')} |`);
  print(`|---|${emulators.map(() => '---|').join('')}`);
  for (const { name, counted, results } of rows)
    print(`| ${counted ? name : `*${name}*`} | ${results.map(cell).join(' | ')} |`);
  const total = rows.filter(({ counted }) => counted).length;
  print(`| **passed of ${total}** | ${passed.map((n) => `**${n}**`).join(' | ')} |`);
}

function cell({ verdict, detail }: UnitResult): string {
  return detail === '' ? verdict : `${verdict} (${detail})`;
}

async function test386(): Promise<void> {
  const rom = test386Rom(values.test386);
  if (rom === undefined) {
    say(`no test386.asm ROM: give --test386 FILE or ${TEST386.environment}, or use --fetch`);
    return;
  }
  const cases = emulators.flatMap((emulator) =>
    (emulator === STERNA ? ['qemu64', 'qemu64,x-i386=on'] : ['qemu64']).map((cpu) => ({ emulator, cpu })),
  );
  const results: { readonly name: string; readonly result: Test386Result }[] = [];
  for (const { emulator, cpu } of cases) {
    const result = await runTest386(rom, emulator, cpu, Number(values['post-port']));
    results.push({ name: `${emulator.name}, -cpu ${cpu}`, result });
    say(`test386 (${emulator.name}, ${cpu}): ${progress(result)}`);
  }
  report['test386'] = results;
  if (values.json) return;
  print('| test386.asm | progress | results |');
  print('|---|---|---|');
  for (const { name, result } of results) print(`| ${name} | ${progress(result)} | ${computed(result)} |`);
}

function progress({ codes, done }: Test386Result): string {
  const last = codes.at(-1);
  if (last === undefined) return 'no code';
  return done ? 'done (0xFF)' : `stops at 0x${last.toString(16).toUpperCase().padStart(2, '0')}`;
}

function computed({ lines, different }: Test386Result): string {
  if (lines === 0) return 'none';
  if (different === undefined) return `${lines} lines, no reference`;
  return different === 0 ? `${lines} lines, all as the reference` : `${lines} lines, ${different} differ`;
}
