import { expect } from 'vitest';
import { AT, type Box, type Features, type Mode, SEL } from './box.ts';
import type { Row } from './delivery-cases.ts';

const CR4 = { UMIP: 0x800n, FSGSBASE: 0x1_0000n, SMEP: 0x10_0000n, SMAP: 0x20_0000n, PKE: 0x40_0000n } as const;
const DATA = `0x${AT.data.toString(16)}`;

const bits = (b: Box, cr4: bigint): void => b.state.setBig('cr4', b.state.getBig('cr4') | cr4);

/**
 * Makes all pages but the data page supervisor pages (for code of level 3 its own too), with a page fault handler on a stack
 * of its own.
 */
function supervisor(b: Box): void {
  const own = b.state.get('cpl') === 3 ? [AT.code, AT.userStack - 4096, AT.userStack] : [];
  for (let at = 0; at < 0x20_0000; at += 4096) {
    if (at !== AT.data && !own.includes(at)) b.write64(b.pte(at), BigInt(at | 3));
  }
  b.gate64(14, SEL.code64, AT.handlers + 14 * 16, 0x8e00, 1);
  b.write64(AT.tss + 0x24, BigInt(AT.ist));
}

/** A page fault with its error code and address, or a plain vector; 3 means that the code got to its INT3. */
type Expected = number | readonly [error: number, address: number];

function row(
  group: string,
  features: Features,
  prepare: (b: Box) => void,
): (name: string, mode: Mode, code: string, expected: Expected, setup?: (b: Box) => void) => Row {
  return (name, mode, code, expected, setup) => ({
    name: `${group}: ${name}`,
    mode,
    code: `${code}\nint3`,
    features,
    setup: (b) => {
      prepare(b);
      setup?.(b);
      const user = mode === 'user64';
      if (user) b.gate64(3, SEL.code64, AT.handlers + 48, 0xee00);
    },
    vector: typeof expected === 'number' ? expected : 14,
    ...(typeof expected === 'number'
      ? {}
      : { error: expected[0], check: (b: Box) => expect(b.state.getBig('cr2')).toBe(BigInt(expected[1])) }),
  });
}

const SMAP = { smap: true, smep: true };
const smap = row('SMAP', SMAP, (b) => {
  supervisor(b);
  bits(b, CR4.SMAP);
});
const smep = row('SMEP', SMAP, (b) => {
  supervisor(b);
  bits(b, CR4.SMEP);
});
const umip = row('UMIP', { umip: true }, (b) => bits(b, CR4.UMIP));
const base = row('FSGSBASE', { fsgsbase: true }, (b) => bits(b, CR4.FSGSBASE));
const keys = row('PKU', { pku: true }, (b) => {
  bits(b, CR4.PKE);
  b.write64(b.pte(AT.data), BigInt(AT.data | 7) | (1n << 59n));
  b.view.setUint8(AT.data, 0xcc);
});
/** WRPKRU of a value. */
const pkru = (value: number): string => `mov eax, ${value}\nxor ecx, ecx\nxor edx, edx\ndb 0x0f, 0x01, 0xef\n`;
const supervisorKeys = row('PKS', { pks: true }, (b) => {
  bits(b, 0x100_0000n);
  b.write64(b.pte(AT.data), BigInt(AT.data | 3) | (1n << 59n));
  b.view.setUint8(AT.data, 0xcc);
});
/** WRMSR of PKRS. */
const pkrs = (value: number): string => `mov eax, ${value}\nmov ecx, 0x6e1\nxor edx, edx\nwrmsr\n`;
const pcid = row('PCID', { pcid: true }, () => {});
const invpcid = row('INVPCID', { pcid: true, invpcid: true }, () => {});
const INVPCID = `db 0x66, 0x0f, 0x38, 0x82, 0x04, 0x25\ndd ${DATA}\n`;
const monitor = row('MONITOR', { monitor: true }, () => {});
const none = row('without the feature', {}, () => {});

/** Features that qemu64 does not have. */
export const EXTENSION_CASES: readonly Row[] = [
  smap('a read of a user page', 'long', `mov eax, [${DATA}]`, [1, AT.data]),
  smap('a write of a user page', 'long', `mov [${DATA}], eax`, [3, AT.data]),
  smap('a push to a user page', 'long', `mov rsp, ${DATA} + 16\npush rax`, [3, AT.data + 8]),
  smap('a read with AC', 'long', `stac\nmov eax, [${DATA}]\nclac`, 3),
  smap('a write with AC, then without', 'long', `stac\nmov [${DATA}], eax\nclac\nmov [${DATA}], eax`, [3, AT.data]),
  smap('a string with AC', 'long', `stac\nmov edi, ${DATA}\nmov ecx, 100\nrep stosb\nclac`, 3),
  smap('a string without AC', 'long', `mov edi, ${DATA}\nmov ecx, 100\nrep stosb`, [3, AT.data]),
  smap('AC by POPF', 'long', `push 0x40002\npopf\nmov [${DATA}], eax`, 3),
  smap('the LDT in a user page', 'long', 'mov eax, 12\nmov ds, eax', [1, AT.data + 8], (b) => {
    b.state.setBig('ldtBase', BigInt(AT.data));
  }),
  smap('a user access needs no AC', 'user64', `mov [${DATA}], eax\nmov eax, [${DATA}]`, 3),
  smap('STAC above level 0', 'user64', 'stac', 6),
  smap(
    'switched on in between',
    'long',
    `mov rax, cr4\nbtr rax, 21\nmov cr4, rax\nmov ebx, [${DATA}]
bts rax, 21\nmov cr4, rax\nmov ebx, [${DATA}]`,
    [1, AT.data],
  ),
  smap('execution of a user page', 'long', `mov eax, ${DATA}\ncall rax\nmov al, [${DATA}]`, [1, AT.data], (b) =>
    b.view.setUint8(AT.data, 0xc3),
  ),
  smep('execution of a user page', 'long', `mov eax, ${DATA}\njmp rax`, [0x11, AT.data]),
  smep('data of a user page', 'long', `mov [${DATA}], eax\nmov eax, [${DATA}]`, 3),
  smep('a user page executed by the user', 'user64', `mov eax, ${DATA}\njmp rax`, 3, (b) =>
    b.view.setUint8(AT.data, 0xcc),
  ),
  ...['sgdt [0x10000]', 'sidt [0x10000]', 'sldt eax', 'str eax', 'smsw eax'].map((code) =>
    umip(code, 'user64', code, 13),
  ),
  umip('level 0', 'long', `sgdt [${DATA}]\nsmsw eax\nstr ecx`, 3),
  base(
    'write and read',
    'long',
    `mov rax, -5\ndb 0xf3, 0x48, 0x0f, 0xae, 0xd0\ndb 0xf3, 0x48, 0x0f, 0xae, 0xc3
db 0xf3, 0x0f, 0xae, 0xc1\nmov eax, ${DATA}\ndb 0xf3, 0x48, 0x0f, 0xae, 0xd8\nmov edx, [gs:4]
db 0xf3, 0x48, 0x0f, 0xae, 0xce\nmov rdi, -1\ndb 0xf3, 0x0f, 0xae, 0xd7`,
    3,
  ),
  base('not canonical', 'long', 'mov rax, 0x800000000000\ndb 0xf3, 0x48, 0x0f, 0xae, 0xd8', 13),
  base('switched off', 'long', `mov rax, cr4\nbtr rax, 16\nmov cr4, rax\ndb 0xf3, 0x48, 0x0f, 0xae, 0xc0`, 6),
  base('at level 3', 'user64', `mov rax, ${DATA}\ndb 0xf3, 0x48, 0x0f, 0xae, 0xd0\nmov eax, [fs:0]`, 3),
  keys('read of a closed page', 'user64', `${pkru(4)}mov eax, [${DATA}]`, [0x25, AT.data]),
  keys('write of a closed page', 'user64', `${pkru(4)}mov [${DATA}], eax`, [0x27, AT.data]),
  keys('supervisor read of a closed user page', 'long', `${pkru(4)}mov eax, [${DATA}]`, [0x21, AT.data]),
  keys('read of a read-only page', 'user64', `${pkru(8)}mov eax, [${DATA}]`, 3),
  keys('write of a read-only page', 'user64', `${pkru(8)}mov [${DATA}], eax`, [0x27, AT.data]),
  keys('supervisor write of a read-only page', 'long', `${pkru(8)}mov [${DATA}], eax`, [0x23, AT.data]),
  keys('the same without WP', 'long', `${pkru(8)}mov rax, cr0\nbtr rax, 16\nmov cr0, rax\nmov [${DATA}], eax`, 3),
  keys('other keys are closed', 'user64', `${pkru(0xffff_fff0)}mov [${DATA}], eax`, 3),
  keys('execution is not checked', 'user64', `${pkru(4)}mov eax, ${DATA}\njmp rax`, 3),
  keys('closed after use', 'user64', `mov [${DATA}], eax\n${pkru(4)}mov ebx, [${DATA}]`, [0x25, AT.data]),
  keys('opened again', 'user64', `${pkru(4)}${pkru(0)}mov ebx, [${DATA}]\ndb 0x0f, 0x01, 0xee`, 3),
  keys('WRPKRU with EDX', 'long', 'mov edx, 1\ndb 0x0f, 0x01, 0xef', 13),
  keys('switched off', 'long', 'mov rax, cr4\nbtr rax, 22\nmov cr4, rax\ndb 0x0f, 0x01, 0xee', 6),
  supervisorKeys('read of a closed page', 'long', `${pkrs(4)}mov eax, [${DATA}]`, [0x21, AT.data]),
  supervisorKeys('write of a closed page', 'long', `${pkrs(4)}mov [${DATA}], eax`, [0x23, AT.data]),
  supervisorKeys('write of a read-only page', 'long', `${pkrs(8)}mov [${DATA}], eax`, [0x23, AT.data]),
  supervisorKeys('read of a read-only page', 'long', `${pkrs(8)}mov eax, [${DATA}]`, 3),
  supervisorKeys(
    'the same without WP',
    'long',
    `${pkrs(8)}mov rax, cr0\nbtr rax, 16\nmov cr0, rax\nmov [${DATA}], eax`,
    3,
  ),
  supervisorKeys('execution is not checked', 'long', `${pkrs(4)}mov eax, ${DATA}\njmp rax`, 3),
  supervisorKeys('closed after use', 'long', `mov [${DATA}], eax\n${pkrs(4)}mov ebx, [${DATA}]`, [0x21, AT.data]),
  supervisorKeys('opened again', 'long', `${pkrs(4)}${pkrs(0)}mov ebx, [${DATA}]\nrdmsr`, 3),
  supervisorKeys('user pages are not checked', 'long', `${pkrs(4)}mov eax, [${DATA}]`, 3, (b) =>
    b.write64(b.pte(AT.data), BigInt(AT.data | 7) | (1n << 59n)),
  ),
  supervisorKeys('upper half of the MSR', 'long', 'mov ecx, 0x6e1\nmov edx, 1\nwrmsr', 13),
  pcid(
    'PCIDE with a context in CR3',
    'long',
    'mov rax, cr3\nor al, 1\nmov cr3, rax\nmov rax, cr4\nbts rax, 17\nmov cr4, rax',
    13,
  ),
  pcid(
    'a context and bit 63',
    'long',
    'mov rax, cr4\nbts rax, 17\nmov cr4, rax\nmov rax, cr3\nor al, 5\nbts rax, 63\nmov cr3, rax\nmov rbx, cr3',
    3,
  ),
  pcid('CR3 bit 63 without PCIDE', 'long', 'mov rax, cr3\nbts rax, 63\nmov cr3, rax', 13),
  pcid('PCIDE outside long mode', 'prot32', 'mov eax, cr4\nbts eax, 17\nmov cr4, eax', 13),
  pcid('paging off with PCIDE', 'compat32', 'mov eax, cr0\nbtr eax, 31\nmov cr0, eax', 13, (b) => bits(b, 0x2_0000n)),
  invpcid('all types', 'long', [0, 1, 2, 3].map((t) => `mov eax, ${t}\n${INVPCID}`).join(''), 3),
  invpcid('type 4', 'long', `mov eax, 4\n${INVPCID}`, 13),
  invpcid('context 1 without PCIDE', 'long', `mov byte [${DATA}], 1\nmov eax, 1\n${INVPCID}`, 13),
  invpcid(
    'an address that is not canonical',
    'long',
    `mov rax, 1\nshl rax, 50\nmov [${DATA} + 8], rax\nxor eax, eax\n${INVPCID}`,
    13,
  ),
  invpcid('at level 3', 'user64', `xor eax, eax\n${INVPCID}`, 13),
  monitor('with a hint', 'long', 'mov ecx, 1\ndb 0x0f, 0x01, 0xc8', 13),
  monitor('MWAIT with a hint', 'long', 'mov ecx, 2\ndb 0x0f, 0x01, 0xc9', 13),
  monitor('above level 0', 'user64', 'db 0x0f, 0x01, 0xc8', 6),
  ...(
    [
      ['STAC', '0x0f, 0x01, 0xcb'],
      ['INVPCID', '0x66, 0x0f, 0x38, 0x82, 0x00'],
      ['RDFSBASE', '0xf3, 0x48, 0x0f, 0xae, 0xc0'],
      ['RDPKRU', '0x0f, 0x01, 0xee'],
      ['MONITOR', '0x0f, 0x01, 0xc8'],
    ] as const
  ).map(([name, code]) => none(name, 'long', `db ${code}`, 6)),
  ...[11, 16, 17, 18, 20, 21, 22, 24].map((bit) =>
    none(`CR4 bit ${bit}`, 'long', `mov rax, cr4\nbts rax, ${bit}\nmov cr4, rax`, 13),
  ),
];
