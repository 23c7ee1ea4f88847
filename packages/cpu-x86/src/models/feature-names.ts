import { FEATURES, MISSING_FEATURES } from './features.ts';

/** A word's name as QEMU writes its place, `CPUID[eax=07h,ecx=00h].EBX`. */
function placeOf(word: string): string {
  const [leaf, ...rest] = word.split('.');
  const register = rest.pop()!.toUpperCase();
  const subleaf = rest[0] === undefined ? '' : `,ecx=${rest[0].padStart(2, '0')}h`;
  return `CPUID[eax=${leaf!.padStart(2, '0')}h${subleaf}].${register}`;
}

const NAMES: ReadonlyMap<string, string> = new Map([
  ...[...FEATURES].map(([name, { word, bit }]): [string, string] => [`${placeOf(word)} ${bit}`, name]),
  ...[...MISSING_FEATURES].map(([name, place]): [string, string] => {
    const [, where, bit] = /^(.*)\.[^.]+(?:\.\d+)? \[bit (\d+)\]$/.exec(place)!;
    return [`${where} ${bit}`, name];
  }),
]);

/**
 * Names of the features whose bits are set.
 *
 * @param word `LEAF[.SUBLEAF].REGISTER` in lower-case hex, e.g. `7.0.ebx`
 */
export function x86FeatureNames(word: string, bits: number): readonly string[] {
  const names: string[] = [];
  for (let bit = 0; bit < 32; bit++)
    if (((bits >>> bit) & 1) !== 0) names.push(NAMES.get(`${placeOf(word)} ${bit}`) ?? `${word} bit ${bit}`);
  return names;
}
