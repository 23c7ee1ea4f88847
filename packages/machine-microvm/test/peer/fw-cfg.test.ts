import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Machine } from '@sterna/core';
import { afterAll, describe, expect, it } from 'vitest';
import { firmwareFinder } from '../../src/node/firmware-files.ts';
import { bzImage, multibootFlat, pvhElf } from '../boot/images.ts';
import { fakeMachine } from '../fake-machine.ts';
import { missingPeer, QtestPeer } from './qtest.ts';

const reason = missingPeer();
const directory = mkdtempSync(join(tmpdir(), 'sterna-peer-'));
afterAll(() => rmSync(directory, { recursive: true }));
const file = (name: string, bytes: Uint8Array): string => {
  writeFileSync(join(directory, name), bytes);
  return join(directory, name);
};

/** Longest part of an item that is compared. */
const LIMIT = 8192;
/** `etc/fdt` is another spelling of the same tree: QEMU's library orders properties backwards. */
const NOT_COMPARED = new Set(['etc/fdt']);

/** Reads an item of our machine through its ports, as firmware does. */
function ours(machine: Machine, key: number, length: number): Uint8Array {
  machine.bus.ioWrite(0x510, 2, key);
  return Uint8Array.from({ length }, () => machine.bus.ioRead(0x511, 1));
}

/** QEMU 7.2 gives the MADT revision 1, later versions and we 3; nothing else in it differs. */
function withoutMadtRevision(name: string, bytes: Uint8Array): string {
  const text = Buffer.from(bytes);
  const madt = text.indexOf('APIC');
  if (name === 'etc/acpi/tables' && madt >= 0) text[madt + 8] = 0;
  return text.toString('hex');
}

interface Entry {
  readonly name: string;
  readonly key: number;
  readonly size: number;
}

function directoryOf(bytes: Uint8Array): Entry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: view.getUint32(0) }, (_, i) => {
    const at = 4 + i * 64;
    const name = new TextDecoder().decode(bytes.subarray(at + 8, at + 64)).replace(/\0.*$/s, '');
    return { name, key: view.getUint16(at + 4), size: view.getUint32(at) };
  });
}

const initrd = new Uint8Array(10_000).fill(0x55);
const cases: [string, string, string[], Parameters<typeof fakeMachine>[0]][] = [
  ['no kernel, two CPUs, ACPI', 'microvm', ['-smp', '2'], { cpuCount: 2 }],
  [
    'no kernel, 4 GiB less 512 MiB',
    'microvm,acpi=off',
    ['-m', '3584'],
    { ramSize: 3584 * 2 ** 20, properties: { acpi: 'off' } },
  ],
  [
    'bzImage and initrd',
    'microvm',
    ['-kernel', 'BZ', '-initrd', 'INITRD', '-append', 'console=ttyS0 vga=0x317'],
    { boot: { kernel: bzImage(), initrd, cmdline: 'console=ttyS0 vga=0x317' } },
  ],
  [
    'PVH kernel and initrd',
    'microvm,acpi=off',
    ['-kernel', 'ELF', '-initrd', 'INITRD', '-append', 'a b'],
    { boot: { kernel: pvhElf(), initrd, cmdline: 'a b' }, properties: { acpi: 'off' } },
  ],
  [
    'bzImage without option ROM',
    'microvm,x-option-roms=off',
    ['-kernel', 'BZ'],
    { boot: { kernel: bzImage() }, properties: { 'x-option-roms': 'off' } },
  ],
];

describe.skipIf(reason !== '')(`fw_cfg beside QEMU ${reason}`, () => {
  const paths: Record<string, string> = {
    BZ: file('bz', bzImage()),
    ELF: file('elf', pvhElf()),
    MB: file('kernel', multibootFlat()),
    INITRD: file('initrd', initrd),
  };

  it.each(cases)('has the same items: %s', async (_, type, args, options) => {
    const { ramSize = 64 * 2 ** 20, boot, properties, ...rest } = options ?? {};
    const memory = args.includes('-m') ? [] : ['-m', '64'];
    await using peer = new QtestPeer([
      '-M',
      type,
      '-cpu',
      'qemu64',
      ...memory,
      ...args.map((arg) => paths[arg] ?? arg),
    ]);
    const { machine } = fakeMachine({
      ...rest,
      ramSize,
      boot: { findFirmware: firmwareFinder(), ...boot },
      properties: { ...properties, wire: 'qemu-7.2' },
    });
    const entries = directoryOf(await peer.readFwCfg(0x19, 4 + 64 * 32));
    expect(directoryOf(ours(machine, 0x19, 4 + 64 * 32))).toEqual(entries);
    const keys = [
      ...Array.from({ length: 0x19 }, (_key, i) => ({ name: `key ${i}`, key: i, size: 512 })),
      { name: 'irq0', key: 0x8002, size: 4 },
    ];
    for (const { name, key, size } of [...keys, ...entries]) {
      if (NOT_COMPARED.has(name)) continue;
      const length = Math.min(size, LIMIT);
      const theirs = withoutMadtRevision(name, await peer.readFwCfg(key, length));
      expect(`${name}: ${withoutMadtRevision(name, ours(machine, key, length))}`).toBe(`${name}: ${theirs}`);
    }
    await machine.dispose();
  });
});
