import { WIRE_GENERATIONS } from '@sterna/migration';
import { describe, expect, it } from 'vitest';
import { compareMachines } from '../../src/check/compare.ts';
import type { Finding, MachineFacts } from '../../src/check/facts.ts';
import { findingLines, isBlocked } from '../../src/check/text.ts';
import { checkVersion, namedQemu } from '../../src/check/versions.ts';
import { blocksOf, devicesOf } from '../../src/node/check/query-facts.ts';

const SOURCE: MachineFacts = {
  who: 'Sterna 0.1.0',
  qemu: undefined,
  machine: 'microvm',
  runState: 'running',
  uuid: '',
  cpus: 1,
  features: { '1.edx': 0x0000_0001, '7.0.ebx': 0x80 },
  blocks: [
    { name: 'microvm.ram', used: 64 * 2 ** 20, most: 64 * 2 ** 20 },
    { name: '/rom@etc/acpi/tables', used: 4096, most: 2 ** 21 },
    { name: 'pc.bios', used: 131072, most: 131072 },
  ],
  devices: { cpu: 1, ioapic: 2, serial: 1 },
  capabilities: { multifd: false, 'return-path': false },
  parameters: { 'multifd-channels': 2, 'zero-page-detection': 'multifd', 'tls-creds': '' },
  blocked: [],
  wire: WIRE_GENERATIONS.compat,
  wireName: 'compat',
};
const STERNA: MachineFacts = { ...SOURCE, runState: 'inmigrate' };
const QEMU_7: MachineFacts = { ...STERNA, who: 'QEMU 7.2.22', qemu: [7, 2], wire: undefined, wireName: undefined };

const short = (findings: readonly Finding[]) => findings.map(({ level, about }) => `${level} ${about}`);

describe('before a migration', () => {
  it('equal sides have nothing against it', () => {
    expect(compareMachines(SOURCE, STERNA)).toEqual([]);
    expect(compareMachines(SOURCE, QEMU_7)).toEqual([]);
  });

  it.each([
    ['blocked', { blocked: ['the disk is remote'] }, {}, 'blocker source'],
    ['gone', { runState: 'postmigrate' }, {}, 'blocker source'],
    ['on its way', { runState: 'finish-migrate' }, {}, 'blocker source'],
    ['not waiting', {}, { runState: 'running' }, 'blocker destination'],
    ['stuck there', {}, { blocked: ['x'] }, 'warning destination'],
    ['another machine', {}, { machine: 'pc' }, 'blocker machine'],
    ['another uuid', { uuid: '1-1' }, { uuid: '2-2' }, 'warning uuid'],
    [
      'another uuid that counts',
      { uuid: '1', capabilities: { 'validate-uuid': true } },
      { uuid: '2', capabilities: { 'validate-uuid': true } },
      'blocker uuid',
    ],
    ['more vCPUs', { cpus: 2 }, {}, 'blocker cpu'],
    ['a feature less', {}, { features: { '1.edx': 1 } }, 'blocker cpu'],
    ['svm less', { features: { '80000001.ecx': 4 } }, { features: {} }, 'warning cpu'],
    ['a feature more', {}, { features: { '1.edx': 3, '7.0.ebx': 0x80 } }, 'note cpu'],
    ['no features told', {}, { features: undefined }, 'note cpu'],
    [
      'more RAM',
      {},
      { blocks: [{ name: 'microvm.ram', used: 2 ** 20, most: 2 ** 20 }, ...SOURCE.blocks!.slice(1)] },
      'blocker memory',
    ],
    ['no ACPI', {}, { blocks: SOURCE.blocks!.filter(({ name }) => !name.startsWith('/rom')) }, 'blocker memory'],
    ['more blocks', {}, { blocks: [...SOURCE.blocks!, { name: 'vga', used: 1, most: 1 }] }, 'warning memory'],
    ['a device less', {}, { devices: { cpu: 1, ioapic: 1, serial: 1 } }, 'blocker devices'],
    ['a device more', {}, { devices: { ...SOURCE.devices, rtc: 1 } }, 'blocker devices'],
    ['multifd here', { capabilities: { multifd: true } }, {}, 'blocker capabilities'],
    ['return-path here', { capabilities: { 'return-path': true } }, {}, 'note capabilities'],
    ['TLS here', { parameters: { 'tls-creds': 'a' } }, {}, 'blocker parameters'],
  ] as const)('%s', (_, source, destination, expected) => {
    expect(short(compareMachines({ ...SOURCE, ...source }, { ...STERNA, ...destination }))).toContain(expected);
  });

  it('names missing features and what to do', () => {
    const [finding] = compareMachines(SOURCE, { ...STERNA, features: {} });
    expect(finding!.text).toBe("the guest was promised fpu, smep, the destination has not; use the source's -cpu");
  });

  it("takes the source's firmware over here, not in QEMU; tables grow in both", () => {
    const small = SOURCE.blocks!.map((block) =>
      block.name === 'pc.bios' ? { ...block, used: 65536, most: 65536 } : block,
    );
    const grown = SOURCE.blocks!.map((block) => (block.name.startsWith('/rom') ? { ...block, used: 8192 } : block));
    expect(compareMachines(SOURCE, { ...STERNA, blocks: small })).toEqual([]);
    expect(short(compareMachines(SOURCE, { ...QEMU_7, blocks: small }))).toEqual(['blocker firmware']);
    expect(compareMachines({ ...SOURCE, blocks: grown }, QEMU_7)).toEqual([]);
  });

  it('multifd needs the same channels, and what both versions read', () => {
    const on = { capabilities: { multifd: true } };
    const other = { ...STERNA, ...on, parameters: { ...STERNA.parameters, 'multifd-channels': 4 } };
    expect(short(compareMachines({ ...SOURCE, ...on }, other))).toEqual(['blocker parameters']);
    expect(short(compareMachines({ ...SOURCE, ...on }, { ...QEMU_7, ...on }))).toEqual([
      'blocker multifd',
      'blocker multifd',
    ]);
    const legacy = {
      ...SOURCE,
      ...on,
      wire: WIRE_GENERATIONS['qemu-7.2'],
      parameters: { ...SOURCE.parameters, 'zero-page-detection': 'legacy' },
    };
    expect(compareMachines(legacy, { ...QEMU_7, ...on })).toEqual([]);
  });
});

describe('a version by name', () => {
  it('is read', () => {
    expect([namedQemu('qemu-7.2'), namedQemu('qemu-11.1.3'), namedQemu('box'), namedQemu('unix:/x')]).toEqual([
      [7, 2],
      [11, 1],
      undefined,
      undefined,
    ]);
  });

  it('warns of a firmware of 128 KiB and QEMU 7.2, and of 64 KiB and a newer one', () => {
    expect(short(checkVersion(SOURCE, [7, 2]))).toEqual(['warning firmware', 'note destination']);
    expect(short(checkVersion(SOURCE, [11, 1]))).toEqual(['note destination']);
    const small = { ...SOURCE, blocks: [{ name: 'pc.bios', used: 65536, most: 65536 }] };
    expect(short(checkVersion(small, [7, 2]))).toEqual(['note destination']);
    expect(short(checkVersion(small, [10, 0]))).toEqual(['warning firmware', 'note destination']);
  });

  it.each([
    ['the command that 7.2 refuses', { wire: WIRE_GENERATIONS['qemu-10.0'] }, [7, 2], 'blocker wire'],
    ['a QEMU that may send it', { wire: undefined, qemu: [11, 1] }, [7, 2], 'warning wire'],
    ['a capability that it has not', { capabilities: { 'mapped-ram': true } }, [7, 2], 'blocker capabilities'],
    ['acknowledgements', { capabilities: { 'switchover-ack': true } }, [11, 1], 'warning wire'],
    [
      'queues of 1024',
      { wire: WIRE_GENERATIONS['qemu-10.0'], devices: { 'virtio-blk': 1 } },
      [11, 1],
      'warning devices',
    ],
    ['a device of ours', { devices: { 'trace-log': 1 } }, [11, 1], 'blocker devices'],
  ] as const)('%s', (_, source, version, expected) => {
    expect(short(checkVersion({ ...SOURCE, ...source } as MachineFacts, version))).toContain(expected);
  });

  it('tells how to start it', () => {
    const note = checkVersion({ ...SOURCE, cpus: 2 }, [7, 2]).at(-1)!;
    expect(note.text).toBe(
      'start it as: qemu-system-x86_64 -M microvm,pit=off,pic=off,rtc=off -cpu qemu64,-svm -smp 2 -m 64 -bios FILE-OF-131072-BYTES -incoming defer',
    );
  });
});

it('says what was found, gravest first, and counts', () => {
  const findings: Finding[] = [
    { level: 'note', about: 'cpu', text: 'n' },
    { level: 'blocker', about: 'memory', text: 'b' },
  ];
  expect(findingLines(findings, 'A', 'B')).toEqual([
    'blocker  memory       b',
    'note     cpu          n',
    '1 thing forbids a migration from A to B',
  ]);
  expect(isBlocked(findings)).toBe(true);
  expect(findingLines([], 'A', 'B')).toEqual(['nothing forbids a migration from A to B']);
});

it("reads QEMU's monitor", () => {
  const text =
    '    Block Name    PSize   Offset  Used  Total\n  pc.bios    4 KiB  0x0000000004000000 0x0000000000010000 0x0000000000020000  0x7f rw\n';
  expect(blocksOf(text)).toEqual([{ name: 'pc.bios', used: 65536, most: 131072 }]);
  expect(devicesOf('  dev: ioapic, id ""\n  dev: ioapic, id ""\n  dev: virtio-mmio, id ""\n', 2)).toMatchObject({
    ioapic: 2,
    cpu: 2,
  });
});
