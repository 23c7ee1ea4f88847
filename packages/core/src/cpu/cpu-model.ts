import { ConfigError, unknownNameHint } from '../errors.ts';
import type { CpuType } from './define-cpu.ts';

/** A CPU model with the properties given for it, still as text. */
export interface CpuModelSpec {
  readonly type: CpuType;
  readonly properties: Readonly<Record<string, string>>;
}

/** Multipliers of `tsc-freq`, which counts in thousands. */
const METRIC: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, g: 1e9 };

/** A frequency with a metric suffix. @throws ConfigError when it is not one */
function frequency(text: string): string {
  const [, number, unit] = /^(\d+(?:\.\d+)?)([kmg]?)$/i.exec(text) ?? [];
  const value = Number(number) * (METRIC[(unit ?? '').toLowerCase()] ?? Number.NaN);
  if (!Number.isSafeInteger(value)) {
    throw new ConfigError('STERNA_ERR_PROPERTY_VALUE', `'${text}' is not a frequency (examples: 2.5G, 2500M)`, {
      path: '-cpu tsc-freq',
    });
  }
  return String(value);
}

/**
 * Parses `-cpu` text: `MODEL,+feature,-feature,name=value`. As in QEMU, underscores in names are dashes, a name alone turns
 * a feature on, `+feature` and `-feature` outweigh `feature=on|off` wherever they stand, and `-feature` outweighs `+feature`.
 *
 * @throws ConfigError when the model is not among `types` or a part is not understood.
 */
export function parseCpuModel(text: string, types: readonly CpuType[]): CpuModelSpec {
  const [model = '', ...parts] = text.split(',');
  const type = types.find((candidate) => candidate.name === model);
  if (type === undefined) {
    throw new ConfigError(
      'STERNA_ERR_CPU_UNKNOWN',
      `no CPU model '${model}'; ${unknownNameHint(
        model,
        types.map((t) => t.name),
      )}`,
      { path: '-cpu' },
    );
  }
  const properties: Record<string, string> = {};
  const plus: string[] = [];
  const minus: string[] = [];
  for (const part of parts) {
    if (part === '') continue;
    const [written = '', ...rest] = part.split('=');
    const name = written.replaceAll('_', '-');
    if (rest.length === 0 && name.startsWith('+')) plus.push(name.slice(1));
    else if (rest.length === 0 && name.startsWith('-')) minus.push(name.slice(1));
    else if (name === 'tsc-freq') properties['tsc-frequency'] = frequency(rest.join('='));
    else properties[name] = rest.length === 0 ? 'on' : rest.join('=');
  }
  for (const name of plus) properties[name] = 'on';
  for (const name of minus) properties[name] = 'off';
  return { type, properties };
}
