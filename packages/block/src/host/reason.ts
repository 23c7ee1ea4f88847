/** The host's reason alone, without the code in front and the call behind it that Node adds. */
export function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return /^E[A-Z0-9]+: (.*?)(?:, [a-z]+(?: '.*')?)?$/.exec(text)?.[1] ?? text;
}
