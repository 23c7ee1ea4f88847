import { createHash } from 'node:crypto';
import { chmodSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from '@sterna/guests/node';
import { GuestConsole } from './console.ts';
import { type LoopPlace, type LoopSource, loopImage } from './loop-images.ts';
import { type Bits, benchCache } from './suite.ts';
import type { V86 } from './v86.ts';

/** Which loops are summed up together. */
export type LoopGroup =
  | 'integer loops'
  | 'SSE2 double loops'
  | 'SSE2 copy loops'
  | 'REP MOVS and STOS'
  | 'string instructions';

/** A small loop on the bare machine. */
export interface Loop extends LoopSource {
  readonly name: string;
  readonly group: LoopGroup;
  /** Bits it can run in; default: both. */
  readonly only?: Bits;
  /** Instructions of one iteration with the counter's two, where that number is fixed. */
  readonly instructions?: number;
  /** Part of the iterations that emulators other than ours run, where these are hundreds of times slower than the host. */
  readonly peerShare?: number;
}

/** The loops; those of computation take two to four seconds under QEMU TCG, so that translating them is a small part. */
export const LOOPS: readonly Loop[] = [
  {
    name: 'xs',
    group: 'integer loops',
    body: 'mov ebx, eax\nshl ebx, 13\nxor eax, ebx\nmov ebx, eax\nshr ebx, 17\nxor eax, ebx\nmov ebx, eax\nshl ebx, 5\nxor eax, ebx\nadd ecx, eax',
    instructions: 12,
    iterations: 1_000_000_000,
  },
  {
    name: 'mem',
    group: 'integer loops',
    body: 'mov ebx, ebp\nand ebx, 0xfffc\nmov eax, [psi + pbx]\nimul eax, eax, 1664525\nadd eax, 1013904223\nmov [psi + pbx], eax',
    instructions: 8,
    iterations: 400_000_000,
  },
  {
    name: 'crc',
    group: 'integer loops',
    // Table at 128 KiB, data below it.
    body: 'mov edx, ebp\nand edx, 0xffff\nmovzx edx, byte [psi + pdx]\nxor edx, eax\nand edx, 255\nshr eax, 8\nxor eax, [psi + pdx * 4 + 0x20000]',
    instructions: 9,
    iterations: 600_000_000,
  },
  {
    name: 'collatz',
    group: 'integer loops',
    body: 'mov eax, ebp\n.l: test eax, 1\njz .e\nlea eax, [pax + pax * 2 + 1]\n.e: shr eax, 1\ninc ebx\ncmp eax, 1\nja .l',
    iterations: 8_000_000,
  },
  {
    name: 'fib',
    group: 'integer loops',
    body: 'mov eax, 20\ncall .f',
    after: '.f: cmp eax, 2\njb .r\npush pax\ndec eax\ncall .f\npop pax\nsub eax, 2\njmp .f\n.r: add ebx, eax\nret',
    iterations: 16_000,
  },
  {
    name: 'calls',
    group: 'integer loops',
    body: 'push pax\ncall .f\npop pbx\njmp .g\n.f: add eax, ebx\nret\n.g:',
    instructions: 8,
    iterations: 200_000_000,
  },
  {
    name: 'rmw64',
    group: 'integer loops',
    only: 64,
    setup: 'mov rax, 0x9e3779b97f4a7c',
    body: 'mov rdx, rax\nshl rdx, 13\nxor rax, rdx\nmov rdx, rax\nshr rdx, 7\nxor rax, rdx\nmov rdx, rax\nshl rdx, 17\nxor rax, rdx\nmov rdx, rax\nand edx, 0xfff8\nadd [rsi + rdx], rax\nadd rbx, [rsi + rdx]',
    instructions: 15,
    iterations: 400_000_000,
  },
  {
    name: 'addpd',
    group: 'SSE2 double loops',
    fill: 'doubles',
    setup: 'movupd xmm4, [psi + 16]\nmovupd xmm5, [psi + 48]\nmovupd xmm6, [psi + 80]',
    body: 'addpd xmm0, xmm4\naddpd xmm1, xmm5\naddpd xmm2, xmm6\naddpd xmm3, xmm4',
    instructions: 6,
    iterations: 48_000_000,
  },
  {
    name: 'mulpd',
    group: 'SSE2 double loops',
    fill: 'doubles',
    setup:
      'movupd xmm0, [psi]\nmovupd xmm1, [psi + 32]\nmovupd xmm4, [psi + 64]\nmovupd xmm5, [psi + 64]\ndivpd xmm5, xmm4\ndivpd xmm5, xmm4',
    body: 'mulpd xmm0, xmm4\nmulpd xmm1, xmm5\nmulpd xmm0, xmm5\nmulpd xmm1, xmm4',
    instructions: 6,
    iterations: 120_000_000,
  },
  {
    name: 'mulsd',
    group: 'SSE2 double loops',
    fill: 'doubles',
    // Two chains x = x * a + b with a below 1, so that they stay near b / (1 - a).
    setup:
      'movsd xmm1, [psi + 24]\nmovsd xmm2, [psi + 512]\nmovsd xmm3, [psi + 1024]\nmovapd xmm4, xmm3\naddsd xmm4, xmm4\ndivsd xmm3, xmm4\nmulsd xmm3, xmm1\ndivsd xmm3, xmm2',
    body: 'mulsd xmm0, xmm3\naddsd xmm0, xmm1\nmulsd xmm5, xmm3\naddsd xmm5, xmm2',
    instructions: 6,
    iterations: 100_000_000,
  },
  {
    name: 'daxpy',
    group: 'SSE2 double loops',
    fill: 'doubles',
    setup: 'movsd xmm7, [psi + 1000]\nmovddup xmm7, xmm7',
    body: `mov edx, ebp
        shl edx, 5
        and edx, 0xfff
        movupd xmm0, [psi + pdx]
        movupd xmm1, [psi + pdx + 16]
        mulpd xmm0, xmm7
        mulpd xmm1, xmm7
        addpd xmm0, [psi + pdx + 0x10000]
        addpd xmm1, [psi + pdx + 0x10010]
        movapd [psi + pdx + 0x10000], xmm0
        movapd [psi + pdx + 0x10010], xmm1`,
    instructions: 13,
    iterations: 40_000_000,
  },
  {
    name: 'horner',
    group: 'SSE2 double loops',
    fill: 'doubles',
    setup: 'movsd xmm7, [psi + 2048]\naddsd xmm7, xmm7\nmovsd xmm1, [psi]\ndivsd xmm1, xmm7',
    body: `movsd xmm0, [psi + 8]
        ${[16, 24, 32, 40, 48, 56, 64].map((at) => `mulsd xmm0, xmm1\naddsd xmm0, [psi + ${at}]`).join('\n')}
        mulsd xmm0, [psi + 72]
        subsd xmm0, [psi + 0x3000]
        addsd xmm2, xmm0`,
    instructions: 20,
    iterations: 24_000_000,
  },
  {
    name: 'sse2-copy',
    group: 'SSE2 copy loops',
    body: `mov edx, ebp
        shl edx, 6
        and edx, 0x7fff
        ${[0, 1, 2, 3].map((i) => `movdqa xmm${i}, [psi + pdx + ${i * 16}]`).join('\n')}
        ${[0, 1, 2, 3].map((i) => `movdqa [psi + pdx + ${0x10000 + i * 16}], xmm${i}`).join('\n')}`,
    instructions: 13,
    iterations: 120_000_000,
  },
  {
    name: 'sse2-copy-unaligned',
    group: 'SSE2 copy loops',
    body: `mov edx, ebp
        shl edx, 6
        and edx, 0x7fff
        ${[0, 1, 2, 3].map((i) => `movdqu xmm${i}, [psi + pdx + ${i * 16 + 5}]`).join('\n')}
        ${[0, 1, 2, 3].map((i) => `movdqu [psi + pdx + ${0x10003 + i * 16}], xmm${i}`).join('\n')}`,
    instructions: 13,
    iterations: 120_000_000,
  },
  ...(['movsb', 'movsd'] as const).flatMap((name) =>
    [4, 64].map((kib) => rep(`${name}-${kib}k`, `rep ${name}`, kib, name === 'movsb' ? 1 : 4)),
  ),
  ...(['stosb', 'stosd'] as const).flatMap((name) =>
    [4, 64].map((kib) => rep(`${name}-${kib}k`, `rep ${name}`, kib, name === 'stosb' ? 1 : 4)),
  ),
  {
    // Backwards, as memmove does when the destination is above the source.
    name: 'movsd-back-4k',
    group: 'string instructions',
    setup: 'mov edx, esi',
    body: 'lea psi, [pdx + 0xffc]\nlea pdi, [pdx + 0xffd]\nmov ecx, 1024\nmov eax, ebp\nstd\nrep movsd\ncld',
    iterations: 100_000,
  },
  {
    name: 'scasb-200',
    group: 'string instructions',
    setup:
      'push pdi\nlea pdi, [psi]\nmov ecx, 0x1000\nmov al, 1\nrep stosb\nmov byte [psi + 199], 0\nmov byte [psi + 0x8c7], 0\npop pdi\nxor ebx, ebx',
    body: 'lea pdi, [psi]\nmov ecx, -1\nxor eax, eax\nrepne scasb\nsub ebx, ecx',
    iterations: 800_000,
  },
  {
    name: 'cmpsb-200',
    group: 'string instructions',
    setup:
      'lea pdi, [psi + 0x1000]\nmov ecx, 200\nrep movsb\nmov esi, scratch\nmov byte [psi + 0x10c7], 0x5a\nxor ebx, ebx',
    body: 'lea pdi, [psi + 0x1000]\nmov ecx, 300\nrepe cmpsb\nadd ebx, ecx\nmov esi, scratch',
    iterations: 800_000,
  },
  {
    name: 'lodsb',
    group: 'string instructions',
    setup: 'xor eax, eax',
    body: 'lodsb\nadd ebx, eax\nlodsb\nxor ebx, eax\nrol ebx, 1\nmov edx, esi\nand edx, 0x3ffff\nlea esi, [pdx + scratch]',
    instructions: 10,
    iterations: 120_000_000,
  },
];

function rep(name: string, instruction: string, kib: number, size: number): Loop {
  return {
    name,
    group: 'REP MOVS and STOS',
    setup: 'mov edx, esi',
    body: `mov esi, edx\nlea pdi, [psi + 0x20000]\nmov ecx, ${(kib * 1024) / size}\nmov eax, ebp\n${instruction}`,
    iterations: kib === 4 ? 16_000_000 : 800_000,
    peerShare: 1 / 160,
  };
}

/** A loop as a file in the cache. */
export function loopFile(loop: Loop, bits: Bits, place: LoopPlace): string {
  const image = loopImage(loop, bits, place);
  const hash = createHash('sha256').update(image).digest('hex').slice(0, 16);
  const path = join(benchCache(), 'loops', `${loop.name}-${bits}-${hash}`);
  if (!existsSync(path)) {
    writeFileAtomic(path, image);
    chmodSync(path, 0o755);
  }
  return path;
}

/** Seconds and checksum of a loop. */
export interface LoopTime {
  readonly seconds: number;
  /** Seconds of processor time of its process meanwhile. */
  readonly cpuSeconds: number;
  readonly checksum: string;
}

/** Times a loop that has been started, by the host's clock. */
export async function timeLoop(console: GuestConsole): Promise<LoopTime> {
  const started = (await console.next(/S\r?\n/, 120)).at;
  const before = console.cpuSeconds;
  const { match, at } = await console.next(/E([0-9a-f]{8})\r?\n/, 120);
  return { seconds: (at - started) / 1000, cpuSeconds: console.cpuSeconds - before, checksum: match[1]! };
}

/** The loop as a peer runs it: see {@link Loop.peerShare}. */
export function shareOf(loop: Loop): Loop {
  return loop.peerShare === undefined ? loop : { ...loop, iterations: Math.round(loop.iterations * loop.peerShare) };
}

/** Runs a loop on a machine with QEMU's command line. */
export async function runLoop(command: readonly string[], loop: Loop, bits: Bits): Promise<LoopTime> {
  await using console = new GuestConsole(command[0]!, [
    ...command,
    ...['-M', 'microvm,acpi=off', '-cpu', 'qemu64', '-m', '16', '-nodefaults', '-display', 'none'],
    ...['-kernel', loopFile(loop, bits, 'pvh'), '-serial', 'stdio'],
  ]);
  return await timeLoop(console);
}

/** Runs a 32-bit loop on v86. */
export async function runLoopV86(v86: V86, loop: Loop): Promise<LoopTime> {
  await using console = v86.start({ multiboot: loopFile(loop, 32, 'multiboot'), memory: 16 });
  return await timeLoop(console);
}

/** Runs a loop on the host's processor. */
export async function runLoopNative(loop: Loop, bits: Bits): Promise<LoopTime> {
  await using console = new GuestConsole('native', [loopFile(loop, bits, 'host')]);
  return await timeLoop(console);
}
