import { parseArgs } from 'node:util';
import { OracleBench } from './bench.ts';
import { generate } from './generate.ts';
import { readVectors } from './vectors.ts';

/** Command line: compares the CPU with the host processor and prints the differences by instruction name. */
function main(): void {
  const { values } = parseArgs({
    options: {
      count: { type: 'string', default: '20000' },
      seed: { type: 'string', default: '1' },
      isa: { type: 'string', default: 'x86' },
      modes: { type: 'string' },
      only: { type: 'string' },
      show: { type: 'string', default: '3' },
    },
  });
  const { nov, nor } = generate({
    count: Number(values.count),
    seed: Number(values.seed),
    isa: values.isa,
    ...(values.modes === undefined ? {} : { modes: values.modes }),
    ...(values.only === undefined ? {} : { only: values.only }),
  });
  const bench = new OracleBench();
  const bad = new Map<string, string[]>();
  const seen = new Map<string, number>();
  let total = 0;
  let wrong = 0;
  for (const v of readVectors(nov, nor)) {
    total++;
    seen.set(v.name, (seen.get(v.name) ?? 0) + 1);
    const difference = bench.run(v);
    if (difference === '') continue;
    wrong++;
    const code = Array.from(v.code, (b) => b.toString(16).padStart(2, '0')).join('');
    const list = bad.get(v.name) ?? [];
    list.push(`#${v.id} ${v.mode}-bit ${code}: ${difference}`);
    bad.set(v.name, list);
  }
  for (const [name, list] of [...bad].sort((a, b) => b[1].length - a[1].length)) {
    console.log(`${name}: ${list.length} of ${seen.get(name)}`);
    for (const text of list.slice(0, Number(values.show))) console.log(`  ${text}`);
  }
  console.log(`${total} vectors, ${wrong} differ, ${(100 * (1 - wrong / total)).toFixed(3)} % agree`);
}

main();
