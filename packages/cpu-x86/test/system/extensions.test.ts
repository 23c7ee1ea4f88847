import { expect, test } from 'vitest';
import { storeCpuid } from '../../src/models/cpuid-table.ts';
import { deriveFeatures } from '../../src/system/features.ts';
import { AT, Box, type Mode, SEL } from './box.ts';

/** Every feature of leaves 1 and 7 that is here. */
const ALL = [
  { leaf: 0, eax: 0xd, ebx: 0x6874_7541, ecx: 0x444d_4163, edx: 0x6974_6e65 },
  { leaf: 1, ecx: (1 << 17) | (1 << 26) | 8 },
  { leaf: 7, sub: 0, ebx: 1 | (1 << 7) | (1 << 10) | (1 << 20), ecx: 4 | 8 },
];
const CR4 = {
  UMIP: 0x800n,
  FSGSBASE: 0x1_0000n,
  PCIDE: 0x2_0000n,
  SMEP: 0x10_0000n,
  SMAP: 0x20_0000n,
  PKE: 0x40_0000n,
};

/** A processor with all features and some bits of CR4, about to run code. */
function start(mode: Mode, code: string, cr4 = 0n, prepare: (b: Box) => unknown = () => {}): Box {
  const b = new Box();
  storeCpuid(b.state, ALL);
  deriveFeatures(b.state);
  b.enter(mode);
  b.state.setBig('cr4', b.state.getBig('cr4') | cr4);
  b.code(mode, code);
  prepare(b);
  return b;
}
/** Vector that stopped it (-1 for its own HLT), with the error code for page faults. */
function outcome(b: Box): string {
  expect(b.run()).toBe(1);
  const vector = b.stoppedAt;
  if (vector !== 14) return String(vector);
  return `14 ${b.read32(Number(b.reg(4) & 0xffff_ffffn)).toString(16)} ${b.state.getBig('cr2').toString(16)}`;
}
/** Makes the pages of code, stacks and tables supervisor pages; data stays a user page. */
function supervisor(b: Box): void {
  for (let at = 0; at < 0x20_0000; at += 4096)
    if (at !== AT.data && (b.state.get('cpl') === 0 || (at !== AT.code && at !== AT.userStack - 4096)))
      b.write64(b.pte(at), BigInt(at | 3));
  b.gate64(14, SEL.code64, AT.handlers + 14 * 16, 0x8e00, 1);
  b.write64(AT.tss + 0x24, BigInt(AT.ist));
}
const DATA = `0x${AT.data.toString(16)}`;

test.for<[string, Mode, string, bigint, string]>([
  ['a read of a user page', 'long', `mov eax, [${DATA}]\nhlt`, CR4.SMAP, '14 1 10000'],
  ['a write of a user page', 'long', `mov [${DATA}], eax\nhlt`, CR4.SMAP, '14 3 10000'],
  ['a push to a user page', 'long', `mov rsp, ${DATA} + 16\npush rax\nmov rsp, 0x9000\nhlt`, CR4.SMAP, '14 3 10008'],
  ['a read with AC', 'long', `stac\nmov eax, [${DATA}]\nclac\nhlt`, CR4.SMAP, '-1'],
  [
    'a write with AC, then without',
    'long',
    `stac\nmov [${DATA}], eax\nclac\nmov [${DATA}], eax\nhlt`,
    CR4.SMAP,
    '14 3 10000',
  ],
  ['AC by POPF', 'long', `push 0x40002\npopf\nmov [${DATA}], eax\nhlt`, CR4.SMAP, '-1'],
  [
    'execution of a user page without SMEP',
    'long',
    `mov byte [${DATA}], 0xc3\nmov rax, cr4\nbts rax, 21\nmov cr4, rax\nmov ebx, ${DATA}\ncall rbx\nhlt`,
    0n,
    '-1',
  ],
  [
    'a read after execution',
    'long',
    `mov byte [${DATA}], 0xc3\nmov rax, cr4\nbts rax, 21\nmov cr4, rax\nmov ebx, ${DATA}\ncall rbx\nmov al, [rbx]\nhlt`,
    0n,
    '14 1 10000',
  ],
  [
    'a descriptor table in a user page is implicit',
    'long',
    `stac\nmov eax, 12\nmov ds, eax\nhlt`,
    CR4.SMAP,
    '14 1 10008',
  ],
  ['SMEP: execution of a user page', 'long', `mov eax, ${DATA}\njmp rax`, CR4.SMEP, '14 11 10000'],
  ['SMEP: data of a user page', 'long', `mov eax, [${DATA}]\nhlt`, CR4.SMEP, '-1'],
  ['CLAC without SMAP in CR4', 'long', 'clac\nhlt', 0n, '-1'],
])('SMAP and SMEP: %s', ([, mode, code, cr4, expected]) => {
  const b = start(mode, code, cr4, supervisor);
  b.state.setBig('ldtBase', BigInt(AT.data));
  expect(outcome(b)).toBe(expected);
});

test.for<[string, Mode, string, bigint, string]>([
  ['STAC above CPL 0', 'user64', 'stac\nhlt', CR4.SMAP, '6'],
  ['user accesses need no AC', 'user64', `mov eax, [${DATA}]\nint3`, CR4.SMAP, '13'],
  ['SGDT hidden', 'user64', `sgdt [${DATA}]`, CR4.UMIP, '13'],
  ['SIDT hidden', 'user64', `sidt [${DATA}]`, CR4.UMIP, '13'],
  ['SLDT hidden', 'user64', 'sldt eax', CR4.UMIP, '13'],
  ['STR hidden', 'user64', 'str eax', CR4.UMIP, '13'],
  ['SMSW hidden', 'user64', 'smsw eax', CR4.UMIP, '13'],
  ['SMSW at CPL 0', 'long', 'smsw eax\nhlt', CR4.UMIP, '-1'],
  ['RDFSBASE without CR4.FSGSBASE', 'long', 'db 0xf3, 0x48, 0x0f, 0xae, 0xc0', 0n, '6'],
  ['WRGSBASE not canonical', 'long', 'mov rax, 0x800000000000\ndb 0xf3, 0x48, 0x0f, 0xae, 0xd8', CR4.FSGSBASE, '13'],
  ['RDFSBASE outside 64-bit mode', 'prot32', 'db 0xf3, 0x0f, 0xae, 0xc0', CR4.FSGSBASE, '6'],
  ['INVPCID at CPL 3', 'user64', `xor eax, eax\ndb 0x66, 0x0f, 0x38, 0x82, 0x04, 0x25\ndd ${DATA}`, 0n, '13'],
  ['INVPCID type 4', 'long', `mov eax, 4\ndb 0x66, 0x0f, 0x38, 0x82, 0x04, 0x25\ndd ${DATA}`, 0n, '13'],
  [
    'INVPCID of context 1 without PCIDE',
    'long',
    `mov byte [${DATA}], 1\nmov eax, 1\ndb 0x66, 0x0f, 0x38, 0x82, 0x04, 0x25\ndd ${DATA}`,
    0n,
    '13',
  ],
  [
    'INVPCID types 0 to 3',
    'long',
    [0, 1, 2, 3].map((t) => `mov eax, ${t}\ndb 0x66, 0x0f, 0x38, 0x82, 0x04, 0x25\ndd ${DATA}`).join('\n') + '\nhlt',
    0n,
    '-1',
  ],
  [
    'PCIDE with a context in CR3',
    'long',
    'mov rax, cr3\nor al, 1\nmov cr3, rax\nmov rax, cr4\nbts rax, 17\nmov cr4, rax\nhlt',
    0n,
    '13',
  ],
  [
    'PCIDE, then a context and bit 63',
    'long',
    'mov rax, cr4\nbts rax, 17\nmov cr4, rax\nmov rax, cr3\nor al, 5\nbts rax, 63\nmov cr3, rax\nhlt',
    0n,
    '-1',
  ],
  ['CR3 bit 63 without PCIDE', 'long', 'mov rax, cr3\nbts rax, 63\nmov cr3, rax\nhlt', 0n, '13'],
  ['PCIDE outside long mode', 'prot32', 'mov eax, cr4\nbts eax, 17\nmov cr4, eax\nhlt', 0n, '13'],
  ['RDPKRU without PKE', 'long', 'db 0x0f, 0x01, 0xee', 0n, '6'],
  ['WRPKRU with EDX', 'long', 'mov edx, 1\ndb 0x0f, 0x01, 0xef', CR4.PKE, '13'],
  ['MONITOR with a hint', 'long', 'mov ecx, 1\ndb 0x0f, 0x01, 0xc8', 0n, '13'],
  ['MONITOR above CPL 0', 'user64', 'db 0x0f, 0x01, 0xc8', 0n, '6'],
  ['a bit of CR4 that does not exist', 'long', 'mov rax, cr4\nbts rax, 12\nmov cr4, rax', 0n, '13'],
])('%s', ([, mode, code, cr4, expected]) => {
  expect(outcome(start(mode, code, cr4, (b) => cr4 === CR4.SMAP && supervisor(b)))).toBe(expected);
});

test('bases of FS and GS', () => {
  const code = `mov rax, -5\ndb 0xf3, 0x48, 0x0f, 0xae, 0xd0\ndb 0xf3, 0x48, 0x0f, 0xae, 0xc3\ndb 0xf3, 0x0f, 0xae, 0xc1
mov eax, ${DATA}\ndb 0xf3, 0x48, 0x0f, 0xae, 0xd8\nmov edx, [gs:4]\nhlt`;
  const b = start('long', code, CR4.FSGSBASE, (box) => box.write32(AT.data + 4, 77));
  expect(outcome(b)).toBe('-1');
  expect(b.reg(3)).toBe(BigInt.asUintN(64, -5n));
  expect(b.reg(1)).toBe(0xffff_fffbn);
  expect(b.reg(2)).toBe(77n);
});

/** Protection key 1 on the data page, PKRU as given. */
const keyed =
  (pkru: number) =>
  (b: Box): void => {
    b.write64(b.pte(AT.data), BigInt(AT.data | 7) | (1n << 59n));
    b.state.set('pkru', pkru);
  };
test.for<[string, Mode, string, number, string]>([
  ['read of a closed page', 'user64', `mov eax, [${DATA}]`, 4, '14 25 10000'],
  ['write of a closed page', 'user64', `mov [${DATA}], eax`, 4, '14 27 10000'],
  ['supervisor read of a closed user page', 'long', `mov eax, [${DATA}]\nhlt`, 4, '14 21 10000'],
  ['read of a read-only page', 'user64', `mov eax, [${DATA}]\ncli`, 8, '13'],
  ['write of a read-only page', 'user64', `mov [${DATA}], eax`, 8, '14 27 10000'],
  ['supervisor write of a read-only page with WP', 'long', `mov [${DATA}], eax\nhlt`, 8, '14 23 10000'],
  ['the other keys are open', 'user64', `mov [${DATA}], eax\ncli`, 0xffff_fff0, '13'],
  ['execution is not checked', 'user64', `mov eax, ${DATA}\njmp rax`, 4, '13'],
  [
    'WRPKRU closes what was used',
    'user64',
    `mov [${DATA}], eax\nmov eax, 4\nxor ecx, ecx\nxor edx, edx\ndb 0x0f, 0x01, 0xef\nmov ebx, [${DATA}]`,
    0,
    '14 25 10000',
  ],
])('protection keys: %s', ([, mode, code, pkru, expected]) => {
  const b = start(mode, code, CR4.PKE, (box) => {
    keyed(pkru)(box);
    box.view.setUint8(AT.data, 0xf4);
  });
  if (code.includes('jmp rax')) b.view.setUint8(AT.data, 0xf4);
  expect(outcome(b)).toBe(expected);
});

test('MWAIT waits as HLT does', () => {
  const b = start('long', 'xor ecx, ecx\ndb 0x0f, 0x01, 0xc8\ndb 0x0f, 0x01, 0xc9\nhlt');
  expect(b.run()).toBe(1);
  expect(Number(b.state.getBig('rip'))).toBe(AT.code + 8);
});

test('CPUID shows OSXSAVE and OSPKE of CR4', () => {
  const b = start('long', 'mov eax, 1\ncpuid\nmov esi, ecx\nmov eax, 7\nxor ecx, ecx\ncpuid\nhlt', 0x44_0000n);
  expect(outcome(b)).toBe('-1');
  expect((Number(b.reg(6)) >>> 27) & 1).toBe(1);
  expect((Number(b.reg(1)) >>> 4) & 1).toBe(1);
});

test('without the features CR4 has none of their bits', () => {
  const b = new Box();
  b.enter('long');
  b.code('long', 'mov rax, cr4\nbts rax, 20\nmov cr4, rax\nhlt');
  expect(outcome(b)).toBe('13');
});
