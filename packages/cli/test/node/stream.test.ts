import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Workshop } from './system-process.ts';

const golden = join(import.meta.dirname, '../../../../../shared/golden');
const reason = existsSync(golden) ? undefined : 'no ../shared/golden on this machine';
if (reason !== undefined && process.env['CI']) throw new Error(reason);

let shop: Workshop;
beforeEach(() => {
  shop = new Workshop();
});
afterEach(() => shop.dispose());

const A = join(golden, 'v72-halt.mig.gz');
const B = join(golden, 'v111-halt.mig.gz');

describe.skipIf(reason !== undefined)(`sterna stream${reason === undefined ? '' : ` (${reason})`}`, () => {
  it('finds fields, with offset, bytes, value and meaning', async () => {
    const shown = await shop.run(
      'sterna',
      'stream',
      'inspect',
      B,
      '--field',
      'cpu/0/env.regs[0]',
      '--field',
      'CPU/*/env.cr[0]',
    );
    expect(shown.code).toBe(0);
    expect(shown.out).toMatch(
      /^@[0-9a-f]{8} a0a1a2a3a4a5a6a7 cpu\/0\/env\.regs\[0\] = 0xa0a1a2a3a4a5a6a7 {2}\(RAX\)$/m,
    );
    expect(shown.out).toMatch(/^@[0-9a-f]{8} [0-9a-f]{16} cpu\/0\/env\.cr\[0\] = 0x[0-9a-f]+ {2}\(PE .*PG\)$/m);
    expect(shown.out.trim().split('\n')).toHaveLength(2);
    const json = await shop.run('sterna', 'stream', 'inspect', B, '--field', 'cpu/0/env.regs[0]', '--json');
    expect(JSON.parse(json.out)).toMatchObject({
      path: 'cpu/0/env.regs[0]',
      size: 8,
      bytes: 'a0a1a2a3a4a5a6a7',
      meaning: 'RAX',
    });
    const none = await shop.run('sterna', 'stream', 'inspect', B, '--field', 'cpu/7');
    expect([none.code, none.err]).toEqual([1, 'sterna: no field is named like cpu/7\n']);
  });

  it('shows a page as it is after loading', async () => {
    // The pages at 4 MiB have a pattern: 64-bit word k of page i is i << 32 | 3k + 1.
    const shown = await shop.run('sterna', 'stream', 'inspect', B, '--page', 'microvm.ram@0x401000');
    expect(shown.code).toBe(0);
    expect(shown.out).toMatch(/page, 4096 bytes\n00401000 {2}01 00 00 00 01 00 00 00 04 00 00 00 01 00 00 00 /);
    expect((await shop.run('sterna', 'stream', 'inspect', B, '--page', 'nowhere@0')).code).toBe(1);
    expect((await shop.run('sterna', 'stream', 'inspect', B, '--page', 'nowhere')).code).toBe(2);
  });

  it('shows a stream that is cut up to there, by the tables of this build', async () => {
    const whole = gunzipSync(readFileSync(B));
    const cpu = whole.indexOf('\x03cpu\x00\x00\x00\x00\x00\x00\x00\x0c', 0, 'latin1');
    writeFileSync(shop.path('cut'), whole.subarray(0, cpu + 500));
    const shown = await shop.run('sterna', 'stream', 'inspect', 'cut');
    expect(shown.code).toBe(4);
    expect(shown.out).toMatch(/section 'apic' .*by the tables of this build\n.*apicbase = /);
    expect(shown.out).toMatch(/env\.regs\[0\] = 0xa0a1a2a3a4a5a6a7/);
    expect(shown.out).toMatch(
      /DAMAGED: section 'cpu' instance 0, stream offset \d+: the stream ends without the footer of section 5\n$/,
    );
  });

  it('compares two streams', async () => {
    expect(await shop.run('sterna', 'stream', 'diff', A, A)).toMatchObject({ code: 0, out: '' });
    const diff = await shop.run(
      'sterna',
      'stream',
      'diff',
      A,
      B,
      '--ignore',
      '@clocks',
      '--ignore',
      'ram/0/microvm.ram',
    );
    expect(diff.code).toBe(1);
    expect(diff.out).toContain('ram/0/pc.bios: 65536 bytes -> 131072 bytes\n');
    expect(diff.out).toContain('globalstate/0/has_vm_was_suspended: (absent) -> 0x1\n');
    expect(diff.out).not.toMatch(/^timer\/|^ram\/0\/microvm\.ram/m);
    const json = JSON.parse((await shop.run('sterna', 'stream', 'diff', A, B, '--json')).out) as {
      pages: object[];
      pageCount: number;
    };
    expect(json.pageCount).toBeGreaterThan(0);
    expect(json.pages[0]).toMatchObject({
      block: expect.any(String),
      address: expect.any(Number),
      a: expect.any(String),
    });
  });
});
