/** What the guest's counter has shown. */
export interface TickCheck {
  readonly count: number;
  readonly last: number;
  /** Numbers that are missing, doubled or out of order, and what the guest's own checks found. */
  readonly faults: readonly string[];
}

/** Checks that a text holds the ticks 1, 2, 3, ... without a gap, and nothing that a guest's self-check found bad. */
export function checkTicks(text: string): TickCheck {
  const faults = [...text.matchAll(/^.*\bBAD\b.*$/gm)].map(([line]) => line.trim());
  // The last line may have been cut off by the end of the process.
  const numbers = [...text.matchAll(/TICK (\d+) [^\n]*\n/g)].map((match) => Number(match[1]));
  for (const [index, number] of numbers.entries()) {
    const expected = index === 0 ? number : numbers[index - 1]! + 1;
    if (number !== expected) faults.push(`tick ${number} where ${expected} was due`);
  }
  if (numbers.length === 0) faults.push('no tick at all');
  else if (numbers[0]! > 1) faults.push(`the first tick is ${numbers[0]}`);
  return { count: numbers.length, last: numbers.at(-1) ?? 0, faults };
}
