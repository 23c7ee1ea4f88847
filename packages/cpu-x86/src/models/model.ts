import { ConfigError, type Property, prop } from '@sterna/core';
import { ALIASES, AMD_ALIASES, DEPENDS, FEATURES, type FeatureWord, MISSING_FEATURES } from './features.ts';

/** A CPU model before any property is applied. */
export interface CpuModel {
  readonly name: string;
  readonly description: string;
  readonly vendor: string;
  readonly family: number;
  readonly model: number;
  readonly stepping: number;
  /** Brand string of leaves 8000_0002 to 8000_0004. */
  readonly modelId: string;
  readonly words: Readonly<Record<FeatureWord, number>>;
}

/** A model with its properties applied. */
export interface CpuConfiguration {
  readonly vendor: string;
  /** CPUID.1:EAX, and EDX after a reset. */
  readonly signature: number;
  readonly modelId: string;
  readonly words: Readonly<Record<FeatureWord, number>>;
  /** Names of the features that are on. */
  readonly features: ReadonlySet<string>;
}

/** A row that may be left out; what it means then is the model's business. */
function optional<T>(row: Property<T>): Property<T | undefined, false> {
  const { default: _, ...rest } = row;
  return {
    ...rest,
    required: false,
    check: (value: unknown) => (value === undefined ? undefined : row.check(value)),
  } as Property<T | undefined, false>;
}
const flag = (help: string): Property<boolean | undefined, false> => optional(prop.bool({ help, default: false }));
const numeric = (help: string): Property<number | undefined, false> => prop.optionalU32({ help });

/** Properties of every model: QEMU's names. */
export const CPU_PROPERTIES: Readonly<Record<string, Property<unknown>>> = {
  'tsc-frequency': prop.optionalU64({
    help: 'Ticks of the timestamp counter per second; sent in the migration stream',
  }),
  check: prop.bool({ help: 'Warn about features that are not available', default: true }),
  enforce: prop.bool({ help: 'Refuse to start when a feature is not available', default: false }),
  vendor: prop.optionalString({ help: 'Twelve characters of CPUID leaf 0' }),
  family: numeric('Family number'),
  model: numeric('Model number'),
  stepping: numeric('Stepping number'),
  'model-id': prop.optionalString({ help: 'Brand string, up to 48 characters' }),
  'x-i386': prop.bool({
    help: 'Behave as the 80386 where later processors and QEMU differ, for its test programs',
    default: false,
  }),
  ...Object.fromEntries([...FEATURES.keys()].map((name) => [name, flag(`CPUID feature ${name}`)])),
  ...Object.fromEntries([...MISSING_FEATURES.keys()].map((name) => [name, flag(`CPUID feature ${name}: missing`)])),
  ...Object.fromEntries([...ALIASES].map(([name, meaning]) => [name, flag(`Another name of ${meaning}`)])),
} as Readonly<Record<string, Property<unknown>>>;

/** CPUID.1:EAX of a family, model and stepping, with the extended fields where they are needed. */
export function signatureOf(family: number, model: number, stepping: number): number {
  const base = family > 15 ? 0xf00 | ((family - 15) << 20) : family << 8;
  return base | ((model & 15) << 4) | ((model >> 4) << 16) | (stepping & 15);
}

function checkedRange(
  properties: Readonly<Record<string, unknown>>,
  name: string,
  preset: number,
  max: number,
): number {
  const value = properties[name];
  if (value === undefined) return preset;
  if (typeof value === 'number' && value <= max) return value;
  throw new ConfigError('STERNA_ERR_PROPERTY_VALUE', `${name} must be at most ${max}`, { path: `-cpu ${name}` });
}

function checkedText(
  properties: Readonly<Record<string, unknown>>,
  name: string,
  preset: string,
  fits: (length: number) => boolean,
): string {
  const value = properties[name];
  if (value === undefined) return preset;
  if (typeof value === 'string' && fits(value.length)) return value;
  throw new ConfigError('STERNA_ERR_PROPERTY_VALUE', `${name} has the wrong length`, { path: `-cpu ${name}` });
}

/** What the user asked for by feature, aliases resolved. */
function requests(properties: Readonly<Record<string, unknown>>): Map<string, boolean> {
  const wanted = new Map<string, boolean>();
  const ask = (name: string, value: unknown): void => {
    if (typeof value === 'boolean') wanted.set(name, value);
  };
  for (const [alias, name] of ALIASES) ask(name, properties[alias]);
  for (const name of [...FEATURES.keys(), ...MISSING_FEATURES.keys()]) ask(name, properties[name]);
  return wanted;
}

/**
 * Applies properties to a model. A feature that is known but not available is left out with a warning (`check`), or refused
 * (`enforce`), as QEMU does.
 *
 * @throws ConfigError with `enforce`, and for values out of range
 */
export function configure(
  model: CpuModel,
  properties: Readonly<Record<string, unknown>>,
  warn: (text: string) => void = (): void => {},
): CpuConfiguration {
  const wanted = requests(properties);
  const missing = [...MISSING_FEATURES].filter(([name]) => wanted.get(name) === true).map(([, where]) => where);
  if (missing.length > 0) {
    if (properties['enforce'] === true) {
      throw new ConfigError('STERNA_ERR_UNSUPPORTED', `CPU features are not implemented: ${missing.join(', ')}`, {
        path: `-cpu ${model.name},enforce`,
      });
    }
    if (properties['check'] !== false) for (const where of missing) warn(`feature is not implemented: ${where}`);
  }
  const words = { ...model.words };
  const isOn = (name: string): boolean => {
    const { word, bit } = FEATURES.get(name)!;
    return ((words[word] >>> bit) & 1) !== 0;
  };
  const turn = (name: string, on: boolean): void => {
    const { word, bit } = FEATURES.get(name)!;
    words[word] = on ? words[word] | (1 << bit) : words[word] & ~(1 << bit);
  };
  for (const [name, on] of wanted) if (FEATURES.has(name)) turn(name, on);
  for (const [name, on] of DEPENDS) if (!isOn(on)) turn(name, false);
  const vendor = checkedText(properties, 'vendor', model.vendor, (n) => n === 12);
  // AMD repeats the common features where its own are; others do not
  words['80000001.edx'] &= ~AMD_ALIASES;
  if (vendor === AMD) words['80000001.edx'] |= words['1.edx'] & AMD_ALIASES;
  return {
    vendor,
    signature: signatureOf(
      checkedRange(properties, 'family', model.family, 0xff + 0xf),
      checkedRange(properties, 'model', model.model, 0xff),
      checkedRange(properties, 'stepping', model.stepping, 0xf),
    ),
    modelId: checkedText(properties, 'model-id', model.modelId, (n) => n <= 48),
    words,
    features: new Set([...FEATURES.keys()].filter(isOn)),
  };
}

/** Vendor of AMD's processors. */
export const AMD = 'AuthenticAMD';
