import { describe, expect, it } from 'vitest';
import { BareMachine } from './bare-machine.ts';

const ROUNDS = 2000;

/** Two CPUs that wake each other by interrupts; each looks whether the timestamp counter ever goes back. */
const PING_PONG = `
%macro look_at_clock 0
  rdtsc
  cmp edx, [0x3014]
  ja %%later
  cmp eax, [0x3010]
  jae %%later
  inc dword [0x3018]
%%later:
  mov [0x3010], eax
  mov [0x3014], edx
%endmacro
bsp:
  mov eax, 0x41
  mov edx, pong
  call gate
  mov eax, 0x40
  mov edx, ping
  call gate
  call start_aps
.wait:
  pause
  cmp dword [0x3000], 1
  jne .wait
  mov eax, 1
  mov edx, 0x4040
  call ipi
.more:
  cli
  cmp dword [0x3004], ${ROUNDS}
  jae .done
  sti
  hlt
  jmp .more
.done:
  rdtsc
  mov [0x3020], eax
  mov dword [0x3008], 1
  hlt
ap:
  mov dword [0x3000], 1
  sti
.more:
  hlt
  jmp .more
ping:
  look_at_clock
  inc dword [0x300c]
  call eoi
  xor eax, eax
  mov edx, 0x4041
  call ipi
  iret
pong:
  look_at_clock
  inc dword [0x3004]
  call eoi
  cmp dword [0x3004], ${ROUNDS}
  jae .last
  mov eax, 1
  mov edx, 0x4040
  call ipi
.last:
  iret
`;

/** Every CPU takes a ticket so many times; whoever is not served spins. */
const ticketLock = (rounds: number, spin: string) => `
bsp:
  call start_aps
ap:
  lock inc dword [0x3000]
.all:
  pause
  cmp dword [0x3000], CPUS
  jne .all
  mov ecx, ${rounds}
.again:
  mov eax, 1
  lock xadd [0x3010], eax
.spin:
  cmp eax, [0x3014]
  je .served
  ${spin}
  jmp .spin
.served:
  mov edx, [0x3018]
  inc edx
  mov [0x3018], edx
  inc dword [0x3014]
  loop .again
  lock inc dword [0x301c]
  cmp dword [0x301c], CPUS
  jne .end
  rdtsc
  mov [0x3020], eax
  mov dword [0x3008], 1
.end:
  cli
  hlt
`;

/** Every CPU counts for itself, for ever. */
const COUNT = `
bsp:
  call start_aps
ap:
  lea ebx, [0x3000 + edi * 4]
.more:
  inc dword [ebx]
  jmp .more
`;

describe('turns of vCPUs', () => {
  it('interrupts between two halted CPUs: every one arrives, time never goes back', () => {
    const box = new BareMachine(2, PING_PONG);
    box.until(0x3008);
    expect(box.word(0x3004)).toBe(ROUNDS);
    expect(box.word(0x300c)).toBe(ROUNDS);
    expect(box.word(0x3018)).toBe(0);
    // nobody waits for the end of a turn: a round is what its two handlers execute
    expect(box.executed).toBeLessThan(ROUNDS * 100 + 50_000);
  });

  it('two runs execute the same instructions', () => {
    const runs = [1, 2].map(() => {
      const box = new BareMachine(2, PING_PONG);
      // by then all are halted; when they came there, in instructions, is in the RAM
      box.until(0x3008);
      return box.state;
    });
    expect(runs[1]).toBe(runs[0]);
    const spins = [1, 2].map(() => {
      const box = new BareMachine(3, ticketLock(100, 'pause').replaceAll('CPUS', '3'));
      box.until(0x3008);
      return box.state;
    });
    expect(spins[1]).toBe(spins[0]);
  });

  it.each([
    ['interrupts', 2, PING_PONG],
    ['a spin lock', 3, ticketLock(300, 'pause').replaceAll('CPUS', '3')],
    ['a spin lock without PAUSE', 2, ticketLock(20, 'nop').replaceAll('CPUS', '2')],
  ])('translated code takes the same turns: %s', (_, cpus, source) => {
    const runs = [{ enabled: false }, { enabled: true, threshold: 2 }].map((translation) => {
      const box = new BareMachine(cpus, source, {}, translation);
      box.until(0x3008);
      box.untilAsleep();
      return box.state;
    });
    expect(runs[1]).toBe(runs[0]);
  });

  it.each([2, 4])('a spin lock that goes round %i CPUs costs no quantum each time', (cpus) => {
    const rounds = 500;
    const box = new BareMachine(cpus, ticketLock(rounds, 'pause').replaceAll('CPUS', String(cpus)));
    box.until(0x3008);
    expect(box.word(0x3018)).toBe(cpus * rounds);
    expect(box.executed).toBeLessThan(cpus * rounds * 1000);
  });

  it('a spin lock without PAUSE goes on too', () => {
    const box = new BareMachine(2, ticketLock(20, 'nop').replaceAll('CPUS', '2'));
    box.until(0x3008);
    expect(box.word(0x3018)).toBe(40);
  });

  it('CPUs that all compute get the same share', () => {
    const box = new BareMachine(4, COUNT);
    box.forAtLeast(8_000_000);
    const counts = [0, 1, 2, 3].map((id) => box.word(0x3000 + id * 4));
    const mean = counts.reduce((a, b) => a + b) / 4;
    for (const count of counts) expect(Math.abs(count - mean) / mean).toBeLessThan(0.1);
  });

  it('registers of a CPU that does not run are its own', () => {
    const box = new BareMachine(3, COUNT);
    box.forAtLeast(1_000_000);
    const { cpus } = box.machine;
    const register = (cpu: number, name: string) => cpus[cpu]!.registers().find((r) => r.name === name)!;
    for (const cpu of [0, 1, 2]) expect(register(cpu, 'rdi').read()).toBe(BigInt(cpu));
    register(2, 'rsi').write(0x1234n);
    register(0, 'rsi').write(0x5678n);
    expect(cpus.map((_, cpu) => register(cpu, 'rsi').read())).toEqual([0x5678n, 0n, 0x1234n]);
    // a change of the mode of a parked CPU leaves the others in theirs
    const before = cpus[0]!.describe();
    register(1, 'cr0').write(0x11n);
    expect(cpus[0]!.describe()).toBe(before);
    const counts = [0, 1, 2].map((id) => box.word(0x3000 + id * 4));
    box.forAtLeast(1_000_000);
    counts.forEach((count, id) => void expect(box.word(0x3000 + id * 4)).toBeGreaterThan(count));
    expect(register(2, 'rsi').read()).toBe(0x1234n);
  });
});
