import { configure } from '../../src/models/model.ts';
import { MAX, QEMU64 } from '../../src/models/qemu64.ts';
import { OracleBench } from './bench.ts';
import { discard, type GenerateOptions, generate } from './generate.ts';
import type { Group } from './groups.ts';
import { readVectors } from './vectors.ts';

/** How instructions are executed; an engine is prepared once for each bench. */
export const ENGINES = {
  /** The interpreter. */
  off: (bench: OracleBench): void => {
    bench.rig.cpu.engine.jit.options = { ...bench.rig.cpu.engine.jit.options, threshold: 0 };
  },
  /** Translated code wherever the translator takes it. */
  on: (bench: OracleBench): void => {
    bench.rig.cpu.engine.jit.options = { ...bench.rig.cpu.engine.jit.options, threshold: 1 << 30 };
    bench.translate = true;
  },
} as const satisfies Record<string, (bench: OracleBench) => void>;
/** Name of an engine. */
export type EngineName = keyof typeof ENGINES;

/** A vector whose outcome differs. */
export interface Mismatch {
  readonly name: string;
  readonly text: string;
}

/** What came of a number of vectors. */
export interface Comparison {
  readonly total: number;
  readonly byName: Readonly<Record<string, number>>;
  readonly wrong: readonly Mismatch[];
  /** Vectors that ran as translated code. */
  readonly translated: number;
}

const benches = new Map<string, OracleBench>();

/** A bench of a model and an engine, made once. */
function benchOf(max: boolean, engine: EngineName): OracleBench {
  const key = `${max} ${engine}`;
  let bench = benches.get(key);
  if (bench === undefined) {
    bench = new OracleBench();
    bench.rig.cpu.engine.setFeatures(configure(max ? MAX : QEMU64, {}).features);
    ENGINES[engine](bench);
    benches.set(key, bench);
  }
  return bench;
}

/** Runs vectors on the host and here. The files are kept only when `keep` says so. */
export function compare(options: GenerateOptions, max: boolean, engine: EngineName, keep = true): Comparison {
  const { nov, nor } = generate(options);
  if (!keep) discard(options);
  const bench = benchOf(max, engine);
  const byName: Record<string, number> = {};
  const wrong: Mismatch[] = [];
  let total = 0;
  const before = bench.translated;
  for (const v of readVectors(nov, nor)) {
    total++;
    byName[v.name] = (byName[v.name] ?? 0) + 1;
    const difference = bench.run(v);
    if (difference === '') continue;
    const code = Array.from(v.code, (b) => b.toString(16).padStart(2, '0')).join('');
    wrong.push({ name: v.name, text: `seed ${options.seed} #${v.id} ${v.mode}-bit ${code}: ${difference}` });
  }
  return { total, byName, wrong, translated: bench.translated - before };
}

/** A part of a run: vectors of one group from one seed. */
export interface Chunk {
  readonly group: Group;
  readonly seed: number;
  readonly count: number;
}

/** Most vectors of a chunk: their files stay small. */
const CHUNK = 20_000;

/** Cuts a number of vectors into chunks by the groups' weights. Seeds follow each other from `seed` on. */
export function chunksOf(groups: readonly Group[], count: number, seed: number): Chunk[] {
  const parts = groups.reduce((sum, { weight }) => sum + weight, 0);
  const chunks: Chunk[] = [];
  for (const group of groups) {
    let left = Math.ceil((count * group.weight) / parts);
    for (; left > 0; left -= CHUNK) chunks.push({ group, seed: seed + chunks.length, count: Math.min(left, CHUNK) });
  }
  return chunks;
}
