import type { Effects } from './effects.ts';

const WAYS: readonly Effects['way'][] = ['inline', 'call', 'stop'];
const TRANSFERS: readonly Effects['transfer'][] = ['none', 'jump', 'branch', 'address'];
const FLAGS = [
  'readsFlags',
  'readsCarry',
  'keepsCarry',
  'setsFlags',
  'changesFlags',
  'unsureFlags',
  'leaves',
  'changesMode',
  'keepsFlags',
] as const satisfies readonly (keyof Effects)[];

/** 32-bit numbers that effects are written as. */
export const EFFECTS_WORDS = 9;

/** Writes effects as numbers. */
export function effectsWords(effects: Effects): readonly number[] {
  const { way, transfer, reads, writes, unsure } = effects;
  const flags = FLAGS.reduce((bits, name, i) => bits | (effects[name] ? 1 << i : 0), 0);
  return [WAYS.indexOf(way), TRANSFERS.indexOf(transfer), ...reads, ...writes, ...unsure, flags];
}

/** Reads what {@link effectsWords} wrote. */
export function readEffects(words: Int32Array, at: number): Effects {
  const [way, transfer, r0, r1, w0, w1, u0, u1, bits] = words.subarray(at, at + EFFECTS_WORDS);
  const flags = Object.fromEntries(FLAGS.map((name, i) => [name, ((bits! >>> i) & 1) !== 0]));
  return {
    way: WAYS[way!]!,
    transfer: TRANSFERS[transfer!]!,
    reads: [r0!, r1!],
    writes: [w0!, w1!],
    unsure: [u0!, u1!],
    ...(flags as Record<(typeof FLAGS)[number], boolean>),
  };
}
