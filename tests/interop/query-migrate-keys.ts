import { NEVER, PatternPair, type PatternVm, SOON } from '../migration/matrix/pattern-pair.ts';

/** Members of `query-migrate` at one moment, those inside included. */
export type Keys = Readonly<Record<string, readonly string[]>>;

function keysOf(value: unknown, prefix = ''): readonly string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [];
  return Object.entries(value)
    .flatMap(([name, inner]) => [prefix + name, ...keysOf(inner, `${prefix}${name}.`)])
    .sort();
}

/** What both sides of two programs of one kind answer while a guest moves. */
export async function observe(program: 'sterna' | 'qemu-new', capabilities: readonly string[]): Promise<Keys> {
  await using pair = await PatternPair.start({ from: program, to: program, capabilities });
  const { source, destination } = pair;
  const seen: Record<string, readonly string[]> = {};
  const look = async (name: string): Promise<void> => {
    const info = async (side: PatternVm) => keysOf(await side.qmp('query-migrate'));
    seen[`${name}, source`] = await info(source);
    seen[`${name}, destination`] = await info(destination);
  };
  await look('before');
  await source.boot();
  await source.parameters(NEVER);
  await source.qmp('migrate', { uri: 'unix:/nowhere/to/be/found' });
  await source.status('failed');
  await look('failed');
  await destination.qmp('migrate-incoming', { uri: `unix:${pair.path('mig')}` });
  await look('listening');
  await source.qmp('migrate', { uri: `unix:${pair.path('mig')}` });
  await pair.checkUnderWay();
  await look('active');
  await source.parameters(SOON);
  await pair.finish();
  await look('completed');
  return seen;
}
