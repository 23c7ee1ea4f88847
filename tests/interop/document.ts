/** The table of crossings in `docs/reference/interop.md`, between its two marks. The long suite writes it. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PROGRAMS } from '../support/vm.ts';
import { PEERS, type Peer } from './crossing.ts';
import { ROWS } from './rows.ts';

const PATH = join(import.meta.dirname, '../../docs/reference/interop.md');
const [BEGIN, END] = ['<!-- crossings -->', '<!-- end of crossings -->'];

/** Who boots the guest. */
export type First = 'sterna' | 'qemu';
/** Results by row, peer and who was first. */
export type Results = ReadonlyMap<string, string>;

/** Key of a result. */
export function resultKey(row: string, peer: Peer, first: First): string {
  return `${row}|${peer}|${first}`;
}

/** Version of a program, as it tells it. */
export function versionOf(program: keyof typeof PROGRAMS): string {
  const { stdout } = spawnSync(PROGRAMS[program], ['--version'], { encoding: 'utf8', timeout: 60_000 });
  return /^(?:Sterna|.*version) ([0-9.]+)/.exec(stdout ?? '')?.[1] ?? 'not there';
}

/** The versions that a run was made with. */
export function versions(): string {
  return (['sterna', ...PEERS] as const).map((name) => `${name} is ${versionOf(name)}`).join('; ');
}

/** Writes the table. */
export function writeTable(results: Results): void {
  const page = readFileSync(PATH, 'utf8');
  const [before, after] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (before < 0 || after < before) throw new Error(`${PATH} has no ${BEGIN} ... ${END}`);
  const directions = PEERS.flatMap((peer) => (['sterna', 'qemu'] as const).map((first) => ({ peer, first })));
  const title = ({ peer, first }: (typeof directions)[number]): string => {
    const qemu = `QEMU ${versionOf(peer)}`;
    return first === 'sterna' ? `Sterna ⇄ ${qemu}` : `${qemu} ⇄ Sterna`;
  };
  const lines = [
    `| options | ${directions.map(title).join(' | ')} |`,
    `|---|${directions.map(() => '---|').join('')}`,
    ...ROWS.map(({ name, peers = PEERS }) => {
      const cells = directions.map(({ peer, first }) =>
        peers.includes(peer) ? (results.get(resultKey(name, peer, first)) ?? 'not run') : 'not known to it',
      );
      return `| ${name} | ${cells.join(' | ')} |`;
    }),
  ];
  writeFileSync(PATH, `${page.slice(0, before)}${BEGIN}\n\n${lines.join('\n')}\n\n${page.slice(after)}`);
}
