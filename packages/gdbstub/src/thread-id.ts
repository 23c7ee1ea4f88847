import { parseCount } from './hex.ts';

/** Which vCPU a packet names: `any` and `all`, or one by index. */
export type ThreadChoice = 'any' | 'all' | number;

/** A thread id on the wire: vCPU index plus 1, since 0 has another meaning. */
export function threadId(index: number): string {
  return (index + 1).toString(16);
}

/** Reads a thread id, with or without a process id in front; undefined when it is none. */
export function parseThread(text: string): ThreadChoice | undefined {
  const match = /^(?:p(-1|[0-9a-fA-F]+)(?:\.(?=.)|$))?(-1|[0-9a-fA-F]+)?$/.exec(text);
  if (match === null || text === '') return undefined;
  const id = match[2] ?? '-1';
  if (id === '-1') return 'all';
  const number = parseCount(id);
  if (number === undefined) return undefined;
  return number === 0 ? 'any' : number - 1;
}
