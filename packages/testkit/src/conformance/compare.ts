import { observedDifference } from '../snapshot/observe.ts';
import type { Step } from './operations.ts';
import type { Operation } from './options.ts';

/**
 * The first operation after which two devices differ, as a sentence; undefined when they behave alike.
 *
 * @param operations - those that both performed
 */
export function behaviourDifference(
  operations: readonly Operation[],
  a: readonly Step[],
  b: readonly Step[],
): string | undefined {
  for (const [i, { answer, seen }] of a.entries()) {
    const other = b[i];
    const name = operations[i]?.name ?? `operation ${i}`;
    if (other === undefined) return `the second one stopped before '${name}'`;
    if (!isSame(answer, other.answer)) return `'${name}' answers ${show(answer)}, there ${show(other.answer)}`;
    const difference = observedDifference(seen, other.seen);
    if (difference !== undefined) return `after '${name}' ${difference}`;
  }
  return undefined;
}

function isSame(a: unknown, b: unknown): boolean {
  return Object.is(a, b) || JSON.stringify(a) === JSON.stringify(b);
}

function show(value: unknown): string {
  return typeof value === 'number' ? `0x${value.toString(16)}` : (JSON.stringify(value) ?? String(value));
}
