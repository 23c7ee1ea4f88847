import type { MigrationInfo } from '@sterna/migration';

const UNITS = ['B', 'KiB', 'MiB', 'GiB'];

/** Bytes with a unit and three digits. */
export function formatBytes(bytes: number): string {
  let [value, unit] = [bytes, 0];
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toPrecision(3)} ${UNITS[unit]}`;
}

/** One line about a migration under way: state, share, rates, what is left, the pause to expect. */
export function progressText({ status = 'none', ram, ...info }: MigrationInfo): string {
  if (ram === undefined) return `migration: ${status}`;
  const done = ram.total === 0 ? 1 : 1 - ram.remaining / ram.total;
  const rate = (ram.mbps * 1e6) / 8;
  const parts = [
    `migration: ${status}`,
    `${Math.floor(done * 100)} %`,
    `pass ${ram['dirty-sync-count']}`,
    `${formatBytes(ram.transferred)} sent`,
    `${formatBytes(ram.remaining)} left`,
    `${formatBytes(rate)}/s`,
  ];
  if (ram['dirty-pages-rate'] > 0) parts.push(`dirtied ${formatBytes(ram['dirty-pages-rate'] * ram['page-size'])}/s`);
  const throttled = info['cpu-throttle-percentage'] ?? 0;
  if (throttled > 0) parts.push(`throttled ${throttled} %`);
  if (info['expected-downtime'] !== undefined) parts.push(`downtime ~${info['expected-downtime']} ms`);
  return parts.join(', ');
}

/**
 * What a migration has come to, as a sentence.
 *
 * @param runState that of the source afterwards
 */
export function summary(info: MigrationInfo, runState: string): string {
  const { status = 'none', ram } = info;
  if (status !== 'completed') {
    const reason = info['error-desc'] === undefined ? '' : `: ${info['error-desc']}`;
    const here = runState === 'running' ? 'the guest runs on here' : `the guest is here, in state ${runState}`;
    return `migration ${status}${reason}; ${here}`;
  }
  const sent = ram === undefined ? '' : `, ${formatBytes(ram.transferred)} in ${ram['dirty-sync-count']} passes`;
  return `migration completed in ${info['total-time']} ms${sent}, downtime ${info.downtime} ms`;
}

/** Keeps one line of a terminal up to date; elsewhere nothing is shown. */
export class ProgressLine {
  readonly #stream: Pick<NodeJS.WriteStream, 'isTTY' | 'write'>;
  #open = false;

  constructor(stream: Pick<NodeJS.WriteStream, 'isTTY' | 'write'>) {
    this.#stream = stream;
  }

  show(info: MigrationInfo): void {
    if (!this.#stream.isTTY) return;
    this.#stream.write(`\r${progressText(info)}\x1b[K`);
    this.#open = true;
  }

  end(): void {
    if (this.#open) this.#stream.write('\n');
    this.#open = false;
  }
}
