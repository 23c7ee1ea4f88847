import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assemble } from '@sterna/guests';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ROOT } from '../support/peers.ts';
import { migrate, Vm } from '../support/vm.ts';

/** A PVH kernel: writes 21 to the device once, then prints what the device says for every byte it receives. */
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
start:  mov     edi, 0xd0000000
        mov     dword [edi], 21
.wait:  mov     edx, 0x3fd
        in      al, dx
        test    al, 1
        jz      .wait
        mov     edx, 0x3f8
        in      al, dx
        mov     eax, [edi]              ; 42
        add     al, '0' - 42
        out     dx, al
        mov     eax, [edi + 4]          ; 1 write
        add     al, '0'
        out     dx, al
        mov     al, 10
        out     dx, al
        jmp     .wait
end:
`;

const DEVICE = `import { defineDevice, definePlugin, IrqLine, prop } from '@sterna/core';

class Doubler { last = 0; writes = 0; }

const doubler = defineDevice({
  name: 'doubler',
  bus: 'sysbus',
  description: 'Doubles what the guest writes',
  properties: { limit: prop.u32({ default: 1000, help: 'Largest result' }) },
  inject: [IrqLine],
  create: ({ limit }, irq) => Object.assign(new Doubler(), { limit, irq }),
  registers: (d) => ({
    VALUE: { offset: 0, read: () => d.last, write: (v) => { d.last = Math.min(v * 2, d.limit); d.writes++; d.irq.set(true); } },
    WRITES: { offset: 4, read: () => d.writes },
  }),
  reset: (d) => { d.last = d.writes = 0; d.irq.set(false); },
  vmstate: { name: 'doubler', version: 1, fields: ({ u32 }) => [u32('last'), u32('writes')] },
});

export default definePlugin({ name: 'doubler', devices: [doubler] });
`;

/** An empty project of somebody else: packed packages from npm, one device file, nothing of this repository. */
describe('a device outside the repository, against the packed packages', () => {
  const project = mkdtempSync(join(tmpdir(), 'sterna-outside-'));
  const program = join(project, 'node_modules/.bin/sterna-system-x86_64');

  beforeAll(() => {
    const packages = readdirSync(join(ROOT, 'packages'));
    execFileSync(
      'npm',
      ['pack', '--silent', '--pack-destination', project, ...packages.flatMap((name) => ['-w', `packages/${name}`])],
      { cwd: ROOT },
    );
    const tarballs = readdirSync(project).filter((name) => name.endsWith('.tgz'));
    expect(tarballs).toHaveLength(packages.length);
    writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'outside', private: true, type: 'module' }));
    execFileSync('npm', ['install', '--silent', '--no-audit', '--no-fund', ...tarballs.map((name) => `./${name}`)], {
      cwd: project,
    });
    writeFileSync(join(project, 'doubler.ts'), DEVICE);
  }, 300_000);
  afterAll(() => rmSync(project, { recursive: true, force: true }));

  const run = (...args: string[]) => spawnSync(program, args, { cwd: project, encoding: 'utf8', timeout: 60_000 });

  it('needs nothing of the repository: compiled files, the printed interpreter, guests, licence and readme', () => {
    const scoped = (name: string) => (name.startsWith('create-') ? name : `@sterna/${name}`);
    const files = (name: string) => readdirSync(join(project, 'node_modules', scoped(name)), { recursive: true });
    for (const name of readdirSync(join(ROOT, 'packages'))) {
      expect(files(name)).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'dist/index.js', 'dist/index.d.ts']));
      expect(files(name).filter((file) => /^(src|test)|tsbuildinfo|d\.ts\.map$/.test(String(file)))).toEqual([]);
    }
    expect(files('cpu-x86').join('\n')).toMatch(/^dist\/interpreter-\w+\.wasm$/m);
    expect(files('guests')).toContain('guests/tiny.asm');
  });

  it('runs from any directory, through links, as one process', async () => {
    const link = join(project, 'emulator');
    symlinkSync(program, link);
    const pidFile = join(project, 'pid');
    const child = spawn(link, ['-M', 'microvm', '-nodefaults', '-display', 'none', '-S', '-pidfile', pidFile], {
      cwd: '/',
      stdio: 'ignore',
    });
    await vi.waitFor(() => expect(readFileSync(pidFile, 'utf8').trim()).toBe(String(child.pid)), { timeout: 20_000 });
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
  });

  it('appears in -device help with its properties', () => {
    expect(run('--plugin', './doubler.ts', '-device', 'help').stdout).toMatch(
      /name "doubler".*Doubles what the guest writes/,
    );
    expect(run('--plugin', './doubler.ts', '-device', 'doubler,help').stdout).toMatch(
      /limit=<uint32>.*Largest result \(default: 1000\)/,
    );
  });

  it('works in a guest, and its state arrives after a migration', async () => {
    const kernel = join(project, 'doubler.elf');
    writeFileSync(kernel, assemble(GUEST).bytes);
    const args = [
      '-M',
      'microvm',
      '-m',
      '16',
      '--plugin',
      join(project, 'doubler.ts'),
      '-device',
      'doubler,id=d0,mmio=0xd0000000,irq=10',
      '-kernel',
      kernel,
    ];
    await using source = await Vm.start(program, args);
    source.type('x');
    await source.says('01\n');
    await using destination = await Vm.start(program, [...args, '-incoming', 'defer']);
    expect(await migrate(source, destination, `unix:${destination.directory}/migration`)).toMatchObject({
      status: 'completed',
    });
    destination.type('x');
    await destination.says('01\n');
  });

  it('is refused with the plugin and the reason when it does not load', () => {
    writeFileSync(join(project, 'broken.ts'), 'export default 5;\n');
    const { status, stderr } = run('--plugin', './broken.ts', '-device', 'help');
    expect(status).toBe(2);
    expect(stderr).toMatch(/broken\.ts/);
  });
});
