import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assemble } from '@sterna/guests';
import { expect, it, vi } from 'vitest';
import { ROOT } from '../support/peers.ts';
import { Vm } from '../support/vm.ts';

/** A PVH kernel: sums words in a loop of 5000 rounds, says so, and waits. */
const GUEST = `
        bits 32
        org 0x100000
elf:    db 0x7f, "ELF", 1, 1, 1, 0
        times 8 db 0
        dw 2, 3
        dd 1, start, headers - elf, 0, 0
        dw 52, 32, 2, 0, 0, 0
headers:
        dd 1, 0, elf, elf, end - elf, end - elf, 7, 0x1000
        dd 4, note - elf, note, note, note_end - note, note_end - note, 4, 4
note:   dd 4, 4, 18
        db "Xen", 0
        dd start
note_end:
        times 0x200 - ($ - elf) db 0
start:  mov     ecx, 5000
.sum:   mov     ebx, ecx
        and     ebx, 0xffc
        add     eax, [0x200000 + ebx]
        dec     ecx
        jnz     .sum
        mov     edx, 0x3f8
        mov     al, 10
        out     dx, al
        cli
        hlt
end:
`;

it('instruments look at a guest, together and by the command line alone', { timeout: 120_000 }, async () => {
  const plugin = join(ROOT, 'plugins/instrumentation/src/index.ts');
  const file = (name: string): string => join(directory, name);
  const directory = mkdtempSync(join(tmpdir(), 'sterna-instruments-'));
  try {
    writeFileSync(file('guest.elf'), assemble(GUEST).bytes);
    const instruments = [
      `hot-blocks,file=${file('blocks')}`,
      `instruction-mix,file=${file('mix')}`,
      `execution-log,file=${file('log')},range=100200-1002ff,limit=12`,
      `cache-model,file=${file('cache')},dcache-size=1K,dcache-ways=1`,
    ].flatMap((device) => ['-device', device]);
    await using vm = await Vm.start('sterna', [
      ...['-M', 'microvm', '-m', '16', '--plugin', plugin, ...instruments],
      ...['-kernel', file('guest.elf')],
    ]);
    await vm.says('\n', 60_000);
    await vm.qmp.executeAny('stop');
    await vi.waitFor(() => expect(existsSync(file('cache'))).toBe(true), { timeout: 10_000 });
    const read = (name: string): string => readFileSync(file(name), 'utf8');
    expect(read('blocks')).toMatch(/^0x100205 +5 +5000 /m);
    expect(read('mix')).toMatch(/^and +\d+ +\d{4,} +\d+\.\d\d %$/m);
    expect(read('log').split('\n').slice(0, 5)).toEqual([
      '0 0x100200 mov',
      '0 0x100205 mov',
      '0 0x100207 and',
      '0 0x10020d add load 0x200388 4',
      '0 0x100213 dec',
    ]);
    expect(read('log').trimEnd().split('\n')).toHaveLength(12);
    // every word of the page is read once a round of 1024, and a line of 64 bytes has 16 of them
    expect(read('cache')).toMatch(/^data +\d+ +\d+ +\d/m);
    expect(read('cache')).toMatch(/^0x10020d +add +\d+ +[1-9]\d+$/m);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
