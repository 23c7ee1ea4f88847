import type { ResumeAction } from '@sterna/core';
import { parseThread, type ThreadChoice } from './thread-id.ts';

/** One action of a vCont packet. */
interface VContAction {
  readonly action: ResumeAction;
  readonly thread: ThreadChoice;
}

/** Actions offered to gdb. Signals mean nothing to a machine and are ignored. */
export const VCONT_ACTIONS = 'vCont;c;C;s;S';

/**
 * Reads what follows `vCont`. Answers what each vCPU shall do: the first action that names it; vCPUs that none names stand
 * still. Undefined when it cannot be read or names a vCPU that there is not.
 */
export function parseVCont(text: string, cpuCount: number): ReadonlyMap<number, ResumeAction> | undefined {
  if (!text.startsWith(';')) return undefined;
  const actions: VContAction[] = [];
  for (const part of text.slice(1).split(';')) {
    const match = /^(?:([cs])|([CS])[0-9a-fA-F]{2})(?::(.+))?$/.exec(part);
    if (match === null) return undefined;
    const thread = match[3] === undefined ? 'all' : parseThread(match[3]);
    if (thread === undefined || (typeof thread === 'number' && thread >= cpuCount)) return undefined;
    const letter = (match[1] ?? match[2]!).toLowerCase();
    actions.push({ action: letter === 's' ? 'step' : 'continue', thread });
  }
  const result = new Map<number, ResumeAction>();
  for (let cpu = 0; cpu < cpuCount; cpu++) {
    const found = actions.find(({ thread }) => thread === cpu || thread === 'all' || thread === 'any');
    if (found !== undefined) result.set(cpu, found.action);
  }
  return result;
}
