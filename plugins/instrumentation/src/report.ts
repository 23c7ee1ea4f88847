import type { Hooks, HostFiles, Logger } from '@sterna/core';

/** Where an instrument says what it has found. */
export interface Outlets {
  readonly file: string | undefined;
  readonly hooks: Hooks;
  readonly files: HostFiles;
  readonly logger: Logger;
}

/**
 * Has a report written when the guest pauses and when its machine is closed: to the file, which is replaced, or to the log.
 * Nothing is written twice in a row.
 */
export function reportTo({ file, hooks, files, logger }: Outlets, name: string, report: () => string): void {
  let written = '';
  const write = (): void => {
    const text = report();
    if (text === written) return;
    written = text;
    if (file !== undefined) files.write(file, new TextEncoder().encode(text));
    else for (const line of text.trimEnd().split('\n')) logger.info(line);
  };
  hooks.runState.tap(name, (state) => {
    if (state === 'paused') write();
  });
  hooks.close.tap(name, write);
}

/** Columns of text, the first to the left and the others to the right. */
export function table(rows: readonly (readonly (string | number)[])[]): string {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, String(cell).length);
    });
  const line = (row: readonly (string | number)[]): string =>
    row.map((cell, i) => (i === 0 ? String(cell).padEnd(widths[i]!) : String(cell).padStart(widths[i]!))).join('  ');
  return rows.map((row) => `${line(row).trimEnd()}\n`).join('');
}

/** A part as per cent. */
export function percent(part: number, whole: number): string {
  return whole === 0 ? '-' : `${((part / whole) * 100).toFixed(2)} %`;
}

/** An address as it is usually written. */
export function hex(address: bigint): string {
  return `0x${address.toString(16)}`;
}
