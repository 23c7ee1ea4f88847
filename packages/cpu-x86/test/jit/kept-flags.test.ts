import { beforeAll, describe, expect, it } from 'vitest';
import { prepareInterpreter } from '../../src/node/index.ts';
import { DATA, run } from './side-by-side.ts';

beforeAll(() => prepareInterpreter());

/** Instructions that regions leave to the interpreter's functions, and that do not write the flags. */
const CALLS = ['mov ecx, 3\nrep stosd', 'cld', 'xlatb', 'wbinvd'];
/** What makes flags: of registers that the calls write, too, and on some paths only. */
const PRODUCERS = [
  'add edi, 0x7fffffff',
  'sub edx, edi\ndec edi',
  'stc\ninc edi',
  'cmp edi, esi',
  'mov ecx, ebp\nand ecx, 3\nadd edx, edx\nshl edi, cl',
  'xor eax, eax\nsub eax, edi\nadc edi, edi',
  'bt edi, 3',
  'test edi, 0x10',
];
/** Who asks for them. */
const USERS = ['lahf', 'adc ebx, 5', 'setg bl\nsetc bh', 'dec ebx', 'jbe skip\nadd ebx, 3\nskip:', 'pushfd\npop ebx'];

describe.each([32, 64] as const)('flags across calls of the interpreter, %s bits', (bits) => {
  const push = (text: string): string => (bits === 64 ? text.replaceAll('pushfd\npop ebx', 'pushfq\npop rbx') : text);
  it.each(CALLS)('%s', (call) => {
    const loops = PRODUCERS.flatMap((producer) =>
      USERS.map((user) => `mov edi, ${DATA} + 64\n${producer}\nmov edi, ${DATA} + 64\n${call}\n${user}`),
    ).map((body, i) => {
      const local = body.replaceAll('skip', `skip${i}`);
      return `mov ebp, 60\nl${i}: mov ebx, ${DATA}\n${local}\nxor edx, ebx\nmov ebx, ${DATA}\ndec ebp\njnz l${i}`;
    });
    const source = push(`mov esi, ${DATA}\n${loops.join('\n')}`);
    expect(run(source, bits, 20)).toBe(run(source, bits, 0));
  });
});
