import { type ByteSource, decodeByTables, findDescription, type StreamItem, walkStream } from '@sterna/migration';
import { parseSystemArgs } from '../../system/parse-args.ts';
import { planFromOptions } from '../machine/plan.ts';
import { withMachine } from '../machine/table-dump.ts';
import { makeRegistry } from '../registry.ts';

/** How the tables of this build are found for a stream without a description. */
export interface TableOptions {
  /** As after `-machine`; the stream's own type by default. */
  readonly machine: string | undefined;
  readonly plugins: readonly string[];
}

/**
 * Calls `use` with what decodes sections that a stream does not describe: the devices of a machine like the stream's.
 * A stream that describes itself needs none.
 */
export async function withTables<T>(
  source: ByteSource,
  start: number,
  { machine, plugins }: TableOptions,
  use: (complete: (item: StreamItem) => Promise<void>) => Promise<T>,
): Promise<T> {
  const shape = findDescription(source) === undefined ? shapeOf(source, start) : undefined;
  if (shape === undefined) return use(async () => {});
  const registry = await makeRegistry(plugins);
  const type = machine ?? shape.machine;
  if (!registry.machines.some(({ name }) => name === type.split(',')[0])) return use(async () => {});
  const args = ['-machine', type, '-smp', String(shape.cpus), '-m', '64', '-nodefaults', '-serial', 'null'];
  return withMachine(planFromOptions(parseSystemArgs(args), registry), registry, (built) =>
    use((item) => decodeByTables(item, source, built.sections())),
  );
}

/** Machine type and number of vCPUs, as far as the stream tells. */
function shapeOf(source: ByteSource, start: number): { machine: string; cpus: number } | undefined {
  let machine: string | undefined;
  let cpus = 1;
  for (const item of walkStream(source, { start })) {
    if (item.type === 'configuration') machine = item.machine;
    if (item.type === 'section' && item.idstr === 'cpu') cpus = Math.max(cpus, Math.min(item.instance + 1, 255));
  }
  return machine === undefined ? undefined : { machine, cpus };
}
