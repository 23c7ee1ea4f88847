import { ConfigError } from '@sterna/core';

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, min: 60_000, h: 3_600_000 };

/**
 * A time as people write it: `50ms`, `1.5s`, `2min`, `1h`. Without a unit it is ms.
 *
 * @returns whole milliseconds
 * @throws ConfigError `STERNA_ERR_OPTION_VALUE` naming the option
 */
export function parseDuration(text: string, option: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  const unit = match === null ? undefined : UNITS[match[2]!.toLowerCase() || 'ms'];
  if (match === null || unit === undefined) {
    throw new ConfigError('STERNA_ERR_OPTION_VALUE', `'${text}' is no time; write 50ms, 1.5s, 2min or 1h`, {
      path: option,
    });
  }
  return Math.round(Number(match[1]) * unit);
}
