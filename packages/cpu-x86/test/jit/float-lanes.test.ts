import { beforeAll, describe, expect, it } from 'vitest';
import { prepareInterpreter } from '../../src/node/index.ts';
import { DATA, run } from './side-by-side.ts';

/** Loops over data that are doubles of all kinds, on pages that can be read, or are a device in between. */
const loop = (body: string): string =>
  `mov esi, ${DATA}\nmov ecx, 3600\npxor xmm2, xmm2\nl:\n${body}\nadd esi, 8\ndec ecx\njnz l\nstmxcsr [${DATA}]`;

const PROGRAMS: Readonly<Record<string, string>> = {
  'chains of doubles': loop(
    'movsd xmm0, [esi]\nmulsd xmm0, [esi + 8]\naddsd xmm0, xmm2\nmovsd [esi + 0x100], xmm0\nmovapd xmm3, xmm0',
  ),
  'a number after the other format in the same register': loop(
    'movss xmm1, [esi]\naddss xmm1, xmm1\naddsd xmm1, [esi + 16]\nmulss xmm1, [esi + 20]\nmovaps xmm4, xmm1\nsubsd xmm4, xmm1',
  ),
  'low lanes between vectors': loop(
    'addsd xmm5, [esi]\naddpd xmm5, xmm1\nmulsd xmm5, xmm5\nunpcklpd xmm5, xmm5\nsubsd xmm5, xmm1\nmovq xmm1, xmm5\nmovhlps xmm6, xmm5',
  ),
  'what is written on some paths only': loop(
    'addsd xmm0, [esi]\ncvtsd2ss xmm7, xmm0\ncvttsd2si eax, xmm0\ncvtsi2sd xmm0, eax\nsqrtsd xmm6, xmm0\nmaxsd xmm0, xmm6\nucomisd xmm0, xmm6\njbe m\naddsd xmm0, xmm6\nm:',
  ),
  'control that changes': loop(
    'mov eax, ecx\nand eax, 0x3ff\njnz m\nxor dword [0x9008], 0x6000\nldmxcsr [0x9008]\nm:\ndivsd xmm1, [esi]\naddsd xmm1, [esi + 8]\ndivpd xmm3, xmm1\nmulss xmm4, xmm1',
  ),
};

beforeAll(() => prepareInterpreter());

describe('low lanes kept apart', () => {
  for (const bits of [64, 32] as const)
    for (const [name, text] of Object.entries(PROGRAMS))
      it(`${name}, in ${bits} bits`, () => {
        const start = 'mov dword [0x9008], 0x1f80\nldmxcsr [0x9008]\n';
        const source = start + (bits === 64 ? text.replaceAll('[esi', '[rsi') : text);
        expect(run(source, bits, 20)).toBe(run(source, bits, 0));
      });
});
