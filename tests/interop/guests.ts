import { readFileSync } from 'node:fs';
import { fetchLinuxGuest, tinyGuestFile } from '@sterna/guests/node';
import type { LifecycleGuest } from '@sterna/testkit/node';
import { checkTicks } from '../support/ticks.ts';

/** A guest that shows whether it is well. */
export interface CrossingGuest {
  /** Options that give it to a machine. */
  readonly args: readonly string[];
  /** Fails when something was lost; called after the boot and after each hop. */
  check(guest: LifecycleGuest): Promise<void>;
  /** Reboots it through the firmware and switches it off. */
  finish(guest: LifecycleGuest): Promise<void>;
}

/** What a line of a ticking guest says. */
type Tick = Readonly<Record<string, number>>;

function ticksOf(text: string): Tick[] {
  return [...text.matchAll(/^TICK (\d+) (.*?)\r?\n/gm)].map(([, count, rest]) => {
    const fields = [...rest!.matchAll(/(\w+)=(\w+)/g)].map(([, name, value]): [string, number] => [
      name!,
      name === 'tsc' ? Number.parseInt(value!, 16) : Number(value),
    ]);
    return Object.fromEntries([['count', Number(count)], ...fields]) as Tick;
  });
}

/** No tick is missing or repeated, the guest has complained of nothing, and none of its clocks has gone back. */
function checkHistory(guest: LifecycleGuest): void {
  const { faults } = checkTicks(guest.serial);
  if (faults.length > 0) throw new Error(faults.join('\n'));
  const ticks = ticksOf(guest.serial);
  for (const [index, tick] of ticks.entries())
    for (const [name, value] of Object.entries(ticks[index - 1] ?? {}))
      if ((tick[name] ?? value) < value) throw new Error(`${name} went from ${value} back to ${tick[name]}`);
}

/** Waits until every page of the working set has been read and written twice on this side. */
async function checkMemory(guest: LifecycleGuest, limitMs: number): Promise<void> {
  const before = ticksOf(guest.serial.slice(0, guest.serial.length - guest.recent.length)).at(-1);
  const wanted = (before?.['pass'] ?? 0) + 2;
  await guest.vm.until(
    `pass ${wanted} over memory`,
    () => (ticksOf(guest.recent).at(-1)?.['pass'] ?? 0) >= wanted || guest.recent.includes('BAD'),
    limitMs,
  );
}

/** The bare-metal guest: four sources of interrupts, memory, x87, SSE and TSC checked by itself. */
export function tinyGuest(acpi: boolean): CrossingGuest {
  return {
    args: ['-m', '16', '-kernel', tinyGuestFile('pvh'), '-append', 'tick=20 rate=20 work=8'],
    async check(guest) {
      await guest.says(/TICK \d+ [\s\S]*TICK \d+ /);
      const first = ticksOf(guest.recent).at(-1)!;
      guest.type('x');
      await guest.says('RX 78');
      await checkMemory(guest, 60_000);
      const last = ticksOf(guest.recent).at(-1)!;
      for (const name of ['lapic', 'pit', 'rtc', 'tsc'])
        if (!(last[name]! > first[name]!)) throw new Error(`${name} does not move on: ${first[name]}, ${last[name]}`);
      checkHistory(guest);
    },
    async finish({ vm }) {
      const boots = vm.serial.split('UP').length;
      vm.type(acpi ? 'r' : '!');
      await vm.until('the boot after a reset', ({ serial }) => serial.split('UP').length > boots);
      if (!acpi) return;
      await vm.says(/UP[\s\S]*TICK 3 /);
      vm.type('q');
      await ended(vm.exited, 20_000);
    },
  };
}

/** A Debian kernel at a shell, with the ticker in the background. */
export async function debianGuest(
  options: { readonly mbps?: number; readonly mib?: number; readonly acpi?: boolean } = {},
): Promise<CrossingGuest> {
  const { mbps = 20, mib = 32, acpi = true } = options;
  const { kernel, initrd } = await fetchLinuxGuest();
  let questions = 0;
  const ask = async (guest: LifecycleGuest, command: string): Promise<string> => {
    const mark = `ANSWER-${++questions}`;
    // The echo of what is typed must not look like the answer.
    guest.type(`echo ANSWER''-${questions} $(${command}) END\n`);
    const answer = new RegExp(`${mark} (.*?) END`, 's');
    await guest.says(answer);
    return withoutTicks(answer.exec(guest.recent)![1]!);
  };
  const born = performance.now();
  let uptime = 0;
  return {
    args: [
      ...['-m', '256', '-kernel', kernel.path, '-initrd', initrd],
      // QEMU on a busy host gets stuck when Linux measures the TSC by itself.
      ...['-append', `console=ttyS0 tsc_early_khz=${hostKhz()}`],
    ],
    async check(guest) {
      if (uptime === 0) {
        await guest.says('STERNA-SHELL-READY', 180_000);
        guest.type(`ticker 50 ${mbps} ${mib} &\n`);
      }
      await guest.says(/TICK \d+ [\s\S]*TICK \d+ /);
      const timer = async (): Promise<number> => interrupts(await ask(guest, 'grep -E "timer|LOC" /proc/interrupts'));
      const before = await timer();
      await checkMemory(guest, 120_000);
      if (!((await timer()) > before)) throw new Error(`the timer's interrupts stand at ${before}`);
      // A guest that was held up may catch up, but never gets ahead of the time outside.
      const now = Number((await ask(guest, 'cat /proc/uptime')).split(' ')[0]) * 1000;
      const outside = performance.now() - born;
      if (now <= uptime || now > outside + 2000)
        throw new Error(`the guest's clock went from ${uptime} to ${now} ms, ${outside} ms after its start`);
      uptime = now;
      checkHistory(guest);
    },
    async finish({ vm }) {
      const boots = vm.serial.split('STERNA-SHELL-READY').length;
      vm.type('reboot -f\n');
      await vm.until(
        'the boot after a reset',
        ({ serial }) => serial.split('STERNA-SHELL-READY').length > boots,
        180_000,
      );
      // Without ACPI the machine has no way to be switched off by its guest.
      if (!acpi) return;
      vm.type('poweroff -f\n');
      await ended(vm.exited, 30_000);
    },
  };
}

/** Interrupts of all timers: without ACPI the kernel uses the PIT, otherwise the local APICs. */
function interrupts(lines: string): number {
  return [...lines.matchAll(/(?:LOC|\d+):((?: +\d+)+)/g)]
    .flatMap(([, counts]) => counts!.trim().split(/ +/))
    .reduce((sum, count) => sum + Number(count), 0);
}

/** Lines of the ticker may stand in the middle of another program's. */
function withoutTicks(text: string): string {
  return text.replaceAll(/TICK \d+ [^\n]*\n/g, '');
}

async function ended(exited: Promise<number | null>, limitMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the guest was switched off, but its process lives')), limitMs);
  });
  try {
    const code = await Promise.race([exited, late]);
    if (code !== 0) throw new Error(`the process ended with ${code}`);
  } finally {
    clearTimeout(timer);
  }
}

/** The host's TSC rate, which QEMU's guests see. */
function hostKhz(): number {
  const mhz = /^cpu MHz\s*:\s*([0-9.]+)/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1];
  return Math.round(Number(mhz ?? 2000) * 1000);
}
