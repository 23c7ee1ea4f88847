import { expect, test } from 'vitest';
import { Box } from '../system/box.ts';

test.each([
  [0x1_8000n, 0x1_7ffcn],
  [0x1_0000n, 0x1_fffcn],
])('a 32-bit ENTER on a 16-bit stack gives EBP the upper half of ESP (%i)', (esp, ebp) => {
  const b = new Box();
  b.enter('prot16');
  b.code('prot16', 'o32 enter 8, 0\nhlt');
  b.state.setBig('regs', esp, 4);
  expect(b.run()).toBe(1);
  expect(b.reg(5)).toBe(ebp);
  expect(b.reg(4)).toBe(ebp - 8n);
});

test('MOV from a debug register takes any mod for a register', () => {
  const b = new Box();
  b.enter('long');
  b.state.setBig('dr', 0x1234n);
  b.code('long', 'db 0x0f, 0x21, 0x04\nhlt');
  expect(b.run()).toBe(1);
  expect(b.reg(4)).toBe(0x1234n);
});
