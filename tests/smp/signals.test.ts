import { describe, expect, it } from 'vitest';
import { BareMachine } from './bare-machine.ts';

/** Physical and logical destination, by the ICR's bit 11; bit 14 is set by all senders. */
const PHYSICAL = 0x4000;
const LOGICAL = 0x4800;

/**
 * Each CPU counts the interrupts it gets at 0x4000 + id * 64; APIC ids 0-3 are also the flat bits 0-3, or with `cluster`
 * the members 0 and 1 of the clusters 1 and 2.
 */
const receivers = (send: string, cluster: boolean): string => `
bsp:
  mov eax, 0x50
  mov edx, count
  call gate
  mov eax, 2
  mov edx, nmi
  call gate
  call start_aps
  call destination
.wait:
  pause
  cmp dword [0x3000], 4
  jne .wait
  sti
${send}
  call rest
  mov dword [0x3008], 1
  cli
  hlt
ap:
  call destination
  sti
.more:
  pause
  jmp .more
destination:
${
  cluster
    ? `  mov dword [0xfee000e0], 0x0fffffff
  mov ecx, edi
  and ecx, 1
  mov eax, 1
  shl eax, cl
  mov ecx, edi
  shr ecx, 1
  inc ecx
  shl ecx, 4
  or eax, ecx`
    : `  mov ecx, edi
  mov eax, 1
  shl eax, cl`
}
  shl eax, 24
  mov [0xfee000d0], eax
  lock inc dword [0x3000]
  ret
count:
  push eax
  mov eax, edi
  shl eax, 6
  inc dword [0x4000 + eax]
  pop eax
  call eoi
  iret
nmi:
  push eax
  mov eax, edi
  shl eax, 6
  add dword [0x4000 + eax], 100
  pop eax
  iret
`;

const ipi = (destination: number, low: number): string => `
  mov eax, ${destination}
  mov edx, ${low}
  call ipi
`;

/** Another CPU runs until it gets INIT, and from the start again with a start-up interrupt. */
const STOP_AND_START = `
bsp:
  call start_aps
  call rest
  mov eax, [0x3004]
  mov [0x4000], eax
  mov eax, 1
  mov edx, 0x4500
  call ipi
  call rest
  mov eax, [0x3004]
  mov [0x4004], eax
  ; nothing but a start-up interrupt wakes it: an interrupt that it could take is lost
  mov eax, 1
  mov edx, 0x4050
  call ipi
  call rest
  mov eax, [0x3004]
  mov [0x4008], eax
  mov eax, 1
  mov edx, 0x4608
  call ipi
  call rest
  mov eax, [0x3004]
  mov [0x400c], eax
  mov eax, [0x3010]
  mov [0x4010], eax
  ; a second one finds nobody waiting
  mov eax, 1
  mov edx, 0x4608
  call ipi
  call rest
  mov eax, [0x3010]
  mov [0x4014], eax
  mov dword [0x3008], 1
  cli
  hlt
ap:
  inc dword [0x3010]
.more:
  inc dword [0x3004]
  pause
  jmp .more
`;

/** A CPU that sends INIT to itself stops there, and starts again where the other one tells it to. */
const SELF = `
bsp:
  call start_aps
.wait:
  pause
  cmp dword [0x3000], 0
  je .wait
  call rest
  mov eax, 1
  mov edx, 0x4608
  call ipi
  call rest
  mov dword [0x3008], 1
  cli
  hlt
ap:
  inc dword [0x3000]
  cmp dword [0x3000], 2
  je .second
  mov eax, 1
  shl eax, 24
  mov [0xfee00310], eax
  mov dword [0xfee00300], 0x4500
  inc dword [0x3004]
.second:
  hlt
  jmp .second
`;

describe('signals between vCPUs', () => {
  it.each([
    ['an APIC id', ipi(2, PHYSICAL | 0x50), false, [0, 0, 1, 0]],
    ['the physical broadcast', ipi(0xff, PHYSICAL | 0x50), false, [1, 1, 1, 1]],
    ['the shorthand for itself', ipi(0, 0x4_4050), false, [1, 0, 0, 0]],
    ['the shorthand for all', ipi(0, 0x8_4050), false, [1, 1, 1, 1]],
    ['the shorthand for all others', ipi(0, 0xc_4050), false, [0, 1, 1, 1]],
    ['a flat logical destination', ipi(0b1010, LOGICAL | 0x50), false, [0, 1, 0, 1]],
    ['a cluster', ipi(0x23, LOGICAL | 0x50), true, [0, 0, 1, 1]],
    ['one of a cluster', ipi(0x12, LOGICAL | 0x50), true, [0, 1, 0, 0]],
    ['nobody of another cluster', ipi(0x3f, LOGICAL | 0x50), true, [0, 0, 0, 0]],
    ['the lowest priority of some: the first', ipi(0b1100, LOGICAL | 0x150), false, [0, 0, 1, 0]],
    ['an NMI to one', ipi(3, PHYSICAL | 0x400), false, [0, 0, 0, 100]],
    ['NMIs to all others', ipi(0, 0xc_4400), false, [0, 100, 100, 100]],
  ])('reach %s', (_, send, cluster, expected) => {
    const box = new BareMachine(4, receivers(send, cluster));
    box.until(0x3008);
    expect([0, 1, 2, 3].map((id) => box.word(0x4000 + id * 64))).toEqual(expected);
  });

  it('INIT stops a CPU, only a start-up interrupt starts it, once', () => {
    const box = new BareMachine(2, STOP_AND_START);
    box.until(0x3008);
    const [running, stopped, deaf, again] = [0x4000, 0x4004, 0x4008, 0x400c].map((at) => box.word(at)) as number[];
    expect(running).toBeGreaterThan(0);
    expect(stopped).toBeGreaterThanOrEqual(running!);
    expect(deaf).toBe(stopped);
    expect(again).toBeGreaterThan(deaf!);
    expect(box.word(0x4010)).toBe(2);
    expect(box.word(0x4014)).toBe(2);
  });

  it('a CPU may send INIT to itself', () => {
    const box = new BareMachine(2, SELF);
    box.until(0x3008);
    expect(box.word(0x3000)).toBe(2);
    expect(box.word(0x3004)).toBe(0);
  });

  it('a reset leaves all but the first waiting', () => {
    const box = new BareMachine(3, STOP_AND_START);
    box.forAtLeast(100_000);
    const { machine } = box;
    machine.stop();
    machine.requestReset('host-qmp-system-reset');
    expect(machine.cpus.map((cpu) => cpu.halted && !cpu.hasWork())).toEqual([false, true, true]);
    machine.start();
    box.until(0x3008);
  });
});
