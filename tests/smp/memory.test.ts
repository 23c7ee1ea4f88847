import { describe, expect, it } from 'vitest';
import { BareMachine } from './bare-machine.ts';

/**
 * Each CPU has page tables of its own that map 0x400000 to a page of its own, calls a function there through a pointer, and
 * compares what it finds with its id.
 */
const OWN_PAGES = `
bsp:
  call start_aps
ap:
  ; page directory of this CPU at 0x30000 + id * 0x4000, page table behind it
  mov esi, edi
  shl esi, 14
  add esi, 0x30000
  mov ecx, 1024
  lea ebx, [esi]
  mov eax, 0x83
.fill:
  mov [ebx], eax
  add eax, 0x400000
  add ebx, 4
  loop .fill
  lea eax, [esi + 0x1003]
  mov [esi + 4], eax
  lea eax, [esi + 0x2003]
  mov [esi + 0x1000], eax
  ; mov eax, id; ret
  mov byte [esi + 0x2000], 0xb8
  mov [esi + 0x2001], edi
  mov byte [esi + 0x2005], 0xc3
  mov eax, cr4
  or eax, 0x10
  mov cr4, eax
  mov cr3, esi
  mov eax, cr0
  or eax, 0x80000000
  mov cr0, eax
  mov ebp, 0x400000
  mov ecx, 300000
.again:
  call ebp
  cmp eax, edi
  je .right
  lock inc dword [0x3004]
.right:
  cmp [0x400001], edi
  je .same
  lock inc dword [0x3004]
.same:
  loop .again
  lock inc dword [0x3000]
  cmp dword [0x3000], 3
  jne .end
  mov dword [0x3008], 1
.end:
  cli
  hlt
`;

/** One CPU executes a function that the other changes all the time; after each change both agree on a number. */
const CHANGED_CODE = `
bsp:
  mov byte [0x9000], 0xb8
  mov dword [0x9001], 0
  mov byte [0x9005], 0xc3
  call start_aps
  mov ecx, 1
.more:
  mov [0x9001], ecx
  mov [0x3010], ecx
.seen:
  pause
  cmp [0x3014], ecx
  jne .seen
  inc ecx
  cmp ecx, 5000
  jne .more
  mov dword [0x3008], 1
  cli
  hlt
ap:
  mov ebp, 0x9000
.wait:
  pause
  mov edx, [0x3010]
  cmp edx, [0x3014]
  je .wait
  call ebp
  cmp eax, edx
  je .right
  inc dword [0x3004]
.right:
  mov [0x3014], edx
  jmp .wait
`;

/** One CPU decodes code in a page to which another one writes all the time: the writes must be seen from then on. */
const CODE_BESIDE_DATA = `
bsp:
  call start_aps
  mov ecx, 3000
.more:
  ; the first write puts a writable translation there
  mov eax, [0x3010]
  mov [0x9100], eax
  mov byte [0x9000], 0xb8
  mov [0x9001], ecx
  mov byte [0x9005], 0xc3
  mov [0x3010], ecx
.seen:
  pause
  cmp [0x3014], ecx
  jne .seen
  loop .more
  mov dword [0x3008], 1
  cli
  hlt
ap:
  mov ebp, 0x9000
.wait:
  pause
  mov edx, [0x3010]
  cmp edx, [0x3014]
  je .wait
  call ebp
  cmp eax, edx
  je .right
  inc dword [0x3004]
.right:
  mov [0x3014], edx
  jmp .wait
`;

describe('memory of several vCPUs', () => {
  it('one linear address is another page, and other code, for each CPU', () => {
    const box = new BareMachine(3, OWN_PAGES);
    box.until(0x3008, 50_000_000);
    expect(box.word(0x3004)).toBe(0);
  });

  it('code that another CPU changes', () => {
    const box = new BareMachine(2, CHANGED_CODE);
    box.until(0x3008);
    expect(box.word(0x3004)).toBe(0);
  });

  it('code in a page that another CPU could write', () => {
    const box = new BareMachine(2, CODE_BESIDE_DATA);
    box.until(0x3008);
    expect(box.word(0x3004)).toBe(0);
  });

  it('a harvest of dirty bits reaches CPUs that do not run', () => {
    const box = new BareMachine(
      2,
      `
bsp:
  call start_aps
ap:
  mov ebx, edi
  shl ebx, 12
  add ebx, 0x30000
.more:
  inc dword [ebx]
  jmp .more
`,
    );
    const { machine } = box;
    const { memory, cpus } = machine;
    const flags = (cpu: number): number => memory.flagIndex(memory.blocks[0]!.hostOffset + 0x30000 + cpu * 4096);
    for (let round = 0; round < 4; round++) {
      box.forAtLeast(500_000);
      for (const cpu of [0, 1]) memory.u8[flags(cpu)] = 1;
      for (const cpu of cpus) cpu.flushWriteTags();
      box.forAtLeast(500_000);
      expect([0, 1].map((cpu) => memory.u8[flags(cpu)])).toEqual([0, 0]);
    }
  });
});
