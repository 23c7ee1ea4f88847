import { beforeAll, describe, expect, it } from 'vitest';
import { prepareInterpreter } from '../../src/node/index.ts';
import { DATA, run } from './side-by-side.ts';

const loop = (start: number, count: number, body: string): string =>
  `mov esi, ${DATA + start}\nmov ecx, ${count}\nxor edx, edx\nl:\n${body}\ndec ecx\njnz l`;

const PROGRAMS: Readonly<Record<string, string>> = {
  'copies that are not aligned': loop(
    3,
    1800,
    `movdqu xmm0, [esi + 5]\nmovdqu xmm1, [esi + 21]\nmovq xmm2, [esi + 37]\nmov eax, [esi + 45]
     paddd xmm0, xmm1\nadd eax, [esi + 2]
     movdqu [esi + 0x1007], xmm0\nmovdqu [esi + 0x1017], xmm1\nmov [esi + 0x1027], eax\nadd [esi + 0x102b], ax
     add esi, 20`,
  ),
  'copies that are aligned': loop(
    0,
    2500,
    `movdqa xmm0, [esi + edx * 4]\nmovdqa xmm1, [esi + edx * 4 + 16]\npaddw xmm0, [esi + edx * 4 + 0x30]
     movdqa [esi + edx * 4 + 0x20], xmm0\nmovaps [esi + edx * 4 + 0x1010], xmm1\nadd edx, 4`,
  ),
  'one address and then another from the same register': loop(
    0,
    1500,
    `mov eax, [esi + edx]\nadd edx, 12\nadd eax, [esi + edx]\nmov ebx, [esi + edx + 8]\nadd esi, 4
     mov [esi + edx], eax\nmov [esi + edx + 8], bl\npush dword_or_qword\npop edi\nmov [esi + edx + 12], edi`,
  ),
  'an address that is aligned until it is not': loop(
    0,
    1200,
    `movdqa xmm0, [esi]\nmovdqa xmm1, [esi + 16]\nmovdqa [esi + 32], xmm1\nadd esi, 16
     xor edx, edx\ncmp ecx, 100\nsetz dl\nlea esi, [esi + edx * 8]`,
  ),
  'a device twice close together, and then no address at all': loop(
    7 * 4096,
    1200,
    `mov eax, [esi + 8]\nadd eax, [esi + 12]\nadd eax, [esi + 16]\nadd ebx, eax\ncmp ecx, 100\njnz m\nmov esi, 1\nrol_esi\nm:`,
  ),
  'a device, and then no address at all': loop(
    7 * 4096,
    1200,
    `mov eax, [esi + 8]\nadd eax, [esi + 12]\nadd ebx, eax\ncmp ecx, 100\njnz m\nmov esi, 1\nrol_esi\nm:`,
  ),
};

beforeAll(() => prepareInterpreter());

describe('accesses close to each other', () => {
  for (const bits of [64, 32] as const) {
    for (const [name, text] of Object.entries(PROGRAMS)) {
      it(`${name}, in ${bits} bits`, () => {
        const wide = text
          .replaceAll(/\[esi/g, bits === 64 ? '[rsi' : '[esi')
          .replaceAll(/edx \*/g, bits === 64 ? 'rdx *' : 'edx *');
        const source = wide
          .replaceAll('[rsi + edx', '[rsi + rdx')
          .replace('rol_esi', bits === 64 ? 'ror rsi, 2' : 'ror esi, 1')
          .replace('push dword_or_qword\npop edi', bits === 64 ? 'push rax\npop rdi' : 'push eax\npop edi');
        expect(run(source, bits, 20)).toBe(run(source, bits, 0));
      });
    }
  }
});
