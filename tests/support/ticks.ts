/** What the ticker guest printed, checked. */
export interface TickReport {
  readonly count: number;
  readonly first: number;
  readonly last: number;
  /** Findings: gaps, repetitions and the guest's own complaints. */
  readonly faults: readonly string[];
}

/** Checks that the serial text of all processes a guest has lived in, in order, holds every tick exactly once. */
export function checkTicks(text: string): TickReport {
  const faults = [...text.matchAll(/^.*BAD.*$/gm)].map(([line]) => line);
  const numbers = [...text.matchAll(/TICK (\d+) /g)].map((match) => Number(match[1]));
  for (let i = 1; i < numbers.length; i++) {
    if (numbers[i] !== numbers[i - 1]! + 1) faults.push(`tick ${numbers[i - 1]} is followed by ${numbers[i]}`);
  }
  return { count: numbers.length, first: numbers[0] ?? -1, last: numbers.at(-1) ?? -1, faults };
}
