import { ConfigError, unknownNameHint } from '../errors.ts';
import type { CpuType } from './define-cpu.ts';

/** A CPU model with the properties given for it, still as text. */
export interface CpuModelSpec {
  readonly type: CpuType;
  readonly properties: Readonly<Record<string, string>>;
}

/**
 * Parses `-cpu` text: `MODEL,+feature,-feature,name=value`.
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
  for (const part of parts) {
    const [name = '', ...rest] = part.split('=');
    if (rest.length > 0) properties[name] = rest.join('=');
    else if (name.startsWith('+')) properties[name.slice(1)] = 'on';
    else if (name.startsWith('-')) properties[name.slice(1)] = 'off';
    else properties[name] = 'on';
  }
  return { type, properties };
}
