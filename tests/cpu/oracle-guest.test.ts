import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fetchLinuxGuest } from '@sterna/guests/node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { missing, SHARED } from '../support/peers.ts';
import { Vm } from '../support/vm.ts';

const ORACLE = join(SHARED, 'tools/native-oracle');
const reason = missing({ apt: true, shared: true, programs: ['gcc', 'python3', 'cpio'] });
const long = process.env['STERNA_LONG'] === '1';
const COUNT = long ? 20_000 : 2_000;

/**
 * The oracle as a program inside a guest: signals, debugger state and page faults go through the guest kernel, so this
 * judges the whole system and not the CPU alone.
 */
describe.skipIf(reason !== '')(`the host processor's results, checked by a program in a Linux guest ${reason}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'sterna-oracle-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  let kernel = '';
  let image = '';
  /** Vectors in the file; the generator drops some that it cannot judge. */
  let made = 0;
  beforeAll(async () => {
    const at = (name: string): string => join(folder, name);
    execFileSync('gcc', [
      '-O2',
      '-static-pie',
      '-fno-stack-protector',
      '-fcf-protection=none',
      '-o',
      at('oracle'),
      join(ORACLE, 'oracle.c'),
    ]);
    execFileSync('python3', [join(ORACLE, 'gen.py'), at('v.nov'), '--count', String(COUNT), '--seed', '4711'], {
      stdio: 'ignore',
    });
    execFileSync(at('oracle'), ['run', at('v.nov'), at('v.nor')], { stdio: 'ignore' });
    made = readFileSync(at('v.nov')).readUInt32LE(4);
    const guest = await fetchLinuxGuest({ gzip: true });
    kernel = guest.kernel.path;
    image = at('image.gz');
    execFileSync('sh', [join(ORACLE, 'pack.sh'), guest.initrd, at('oracle'), at('v.nov'), at('v.nor'), image], {
      stdio: 'ignore',
    });
  }, 180_000);

  it(`at least 99.9 % of ${COUNT} vectors (seed 4711) agree`, async () => {
    await using vm = await Vm.start('sterna', [
      '-M',
      'microvm',
      '-m',
      '512',
      '-kernel',
      kernel,
      '-initrd',
      image,
      '-append',
      'console=ttyS0 quiet st=run cmd=/oracle/oracle,check,/oracle/v.nov,/oracle/v.nor',
    ]);
    await vm.says(/RUN-EXIT \d+/, 240_000);
    const [, ok, bad, refused] = /ok (\d+) bad (\d+) refused (\d+)/.exec(vm.serial) ?? [];
    // What the host itself refused is in none of the counts.
    expect(Number(ok) + Number(bad) + Number(refused)).toBeGreaterThan(made * 0.98);
    // 16-bit vectors are refused: Debian's cloud kernel has no 16-bit segments.
    expect(Number(ok)).toBeGreaterThan(COUNT / 2);
    console.log(`vectors checked in the guest: ${ok} agree, ${bad} differ, ${refused} refused`);
    expect(Number(bad) / (Number(ok) + Number(bad))).toBeLessThan(0.001);
  });
});
