import { describe, expect, test } from 'vitest';
import { DELIVERY_CASES } from './delivery-cases.ts';
import { EXTENSION_CASES } from './extension-cases.ts';
import { PAGING_CASES } from './paging-cases.ts';
import { compareWithQemu } from './qemu-diff.ts';
import { qemuMissing } from './qemu-peer.ts';
import { SELECTOR_CASES } from './selector-cases.ts';
import { TASK_CASES } from './task-cases.ts';

if (qemuMissing !== undefined && process.env['CI']) throw new Error(qemuMissing);

/** Where the architecture and QEMU part, and we follow the architecture: what QEMU does instead. */
const KNOWN: Readonly<Record<string, string>> = {
  'prot32: a gate to an offset beyond the limit': 'does not check the offset of a gate',
  'prot32: #UD then #GP is just #GP with EXT': 'never sets EXT',
  'prot32: #UD then #NP of the gate is #NP with EXT and IDT': 'never sets EXT',
  'prot32: a load through a null segment': 'has no segment limits or types',
  'prot32: beyond a limit': 'has no segment limits or types',
  'prot32: below an expand-down limit': 'has no segment limits or types',
  'prot32: a write to a read-only segment': 'has no segment limits or types',
  'prot32: a push below the stack segment': 'has no segment limits or types',
  'prot32: LTR of a null selector': 'loads a null TR',
  'long: IRETQ to an address that is not canonical': 'faults at the target',
  'real: PG without PE': 'does not check CR0',
  'long: NW without CD': 'does not check CR0',
  'long: clearing PG in 64-bit mode': 'does not check CR0',
  'long: clearing PAE in long mode': 'does not check CR4',
  'long: reserved bits of CR4': 'drops reserved bits',
  'long: reserved bits of CR3': 'stops at its own assertion',
  'long: CR8 beyond 15': 'drops reserved bits',
  'long: LME cannot change while paging': 'does not check EFER',
  'long: LSTAR must be canonical': 'does not check MSRs',
  'long: reserved bit, read': 'leaves P out of the error code of a reserved bit',
  'user64: reserved bit, user write': 'leaves P out of the error code of a reserved bit',
  'long: NX is reserved without EFER.NXE': 'leaves P out of the error code of a reserved bit',
  'long: PS in a PML4 entry is reserved': 'leaves P out of the error code of a reserved bit',
  'long: low frame bits of a 2 MiB page are reserved': 'leaves P out of the error code of a reserved bit',
  'long: not canonical with RSP as base': 'raises #GP',
  'long: not canonical push': 'raises #GP',
  'long: jump to an address that is not canonical': 'faults at the target',
  'user64: alignment checks begin with POPF': 'does not check alignment',
  'long: a CR3 load keeps global pages': 'drops global pages too',
  'prot32: all descriptors: MOV SS': 'has no limits: expand-down stacks',
  'user32: all descriptors: MOV SS': 'has no limits: expand-down stacks',
  'prot32: new task: SS null': 'reports faults of the new task at the old address, and before CS is loaded',
  'prot32: new task: SS read-only': 'reports faults of the new task at the old address, and before CS is loaded',
  'prot32: new task: SS of another level': 'reports faults of the new task at the old address, and before CS is loaded',
  'prot32: new task: SS outside the GDT': 'reports faults of the new task at the old address, and before CS is loaded',
  'prot32: new task: DS not readable': 'reports faults of the new task at the old address, and before CS is loaded',
  'prot32: new task: DS of the system': 'reports faults of the new task at the old address, and before CS is loaded',
  'prot32: new task: FS not present': 'reports faults of the new task at the old address, and before CS is loaded',
  'prot32: new task: GS outside the LDT': 'reports faults of the new task at the old address, and before CS is loaded',
  'prot32: new task: LDT in the LDT': 'reports faults of the new task at the old address, and before CS is loaded',
  'prot32: new task: LDT is no LDT': 'reports faults of the new task at the old address, and before CS is loaded',
  ...Object.fromEntries(
    EXTENSION_CASES.filter(({ features }) => features?.['pcid'] === true).map(({ mode, name }) => [
      `${mode}: ${name}`,
      'has neither PCID nor INVPCID under TCG',
    ]),
  ),
  ...Object.fromEntries(
    [11, 16, 17, 18, 20, 21, 22, 24].map((bit) => [`long: without the feature: CR4 bit ${bit}`, 'drops reserved bits']),
  ),
  'long: FSGSBASE: not canonical': 'does not check bases',
  'real: an instruction ends at the limit': 'has no code limit',
  ...Object.fromEntries(
    ['5005', '5006', '5007', '5008'].map((limit) => [`prot32: a limit of ${limit} inside a page`, 'has no code limit']),
  ),
  'prot32: the trap flag of a TSS': 'reports the old address; 7.2 does not know it',
  'prot32: old task: gate to a selector of the LDT': 'raises #TS',
  'long: all descriptors: MOV SS': 'takes a null selector of any RPL',
  'prot32: all descriptors: LTR': 'loads a null TR',
  'long: all descriptors: LTR': 'loads a null TR and 16-bit ones',
  'long: all descriptors: LAR': 'shows 16-bit system descriptors in long mode',
  'long: all descriptors: LSL': 'shows 16-bit system descriptors in long mode',
  'user64: all descriptors: LAR': 'shows 16-bit system descriptors in long mode',
  'user64: all descriptors: LSL': 'shows 16-bit system descriptors in long mode',
};

/** The same for QEMU 7.2, which is the peer unless the environment names a newer one. */
const KNOWN_OLD: Readonly<Record<string, string>> = process.env['STERNA_PEER_QEMU']
  ? {}
  : {
      'user32: INT1 is a trap without a privilege check': 'has no INT1',
      'user64: the same, 64 bits': 'gives sixteen times the vector as error code',
      'long: a 32-bit trap gate in long mode is no gate': 'gives sixteen times the vector as error code',
      'long: DR7.GD traps': 'stops',
    };

describe.skipIf(qemuMissing !== undefined)(
  `fixtures on a real QEMU${qemuMissing === undefined ? '' : ` (${qemuMissing})`}`,
  () => {
    const cases = [...DELIVERY_CASES, ...PAGING_CASES, ...SELECTOR_CASES, ...TASK_CASES, ...EXTENSION_CASES].map(
      (row) => ({
        row,
        name: `${row.mode}: ${row.name}`,
      }),
    );
    test.for(cases.filter(({ name }) => (KNOWN[name] ?? KNOWN_OLD[name]) === undefined))('$name', async ({ row }) => {
      expect(await compareWithQemu(row)).toEqual([]);
    });
    test('every known difference is one of the cases', () => {
      const names = new Set(cases.map(({ name }) => name));
      expect(Object.keys(KNOWN).filter((name) => !names.has(name))).toEqual([]);
    });
  },
);
