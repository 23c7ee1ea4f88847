import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MicrovmRig } from '../support/microvm-rig.ts';
import { findQemus, isOld, StoppedQemu, sectionFrom, withClock } from '../support/qemu.ts';

/**
 * The same random guest accesses on QEMU's chips and on ours: every value read and,
 * at the end, every device section must be equal. Time stands still in both.
 */

const DATE = '2026-11-20T18:30:45';
const DATE_NS = BigInt(Date.parse(`${DATE}Z`)) * 1_000_000n;
const RAM = 16 * 2 ** 20;
/** Each is a run of its own; STERNA_SEEDS=1,2,... takes others. */
const SEEDS = (process.env['STERNA_SEEDS'] ?? '1,2,3,4').split(',').map(Number);
const ARGS = ['-M', 'microvm', '-m', '16', '-serial', 'null', '-rtc', `base=${DATE},clock=vm`];

const PORTS = [0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1, 0x40, 0x41, 0x42, 0x43, 0x70, 0x71].concat(
  Array.from({ length: 8 }, (_, i) => 0x3f8 + i),
);
const MMIO = [0xfec00000, 0xfec00010, 0xfec00040, 0xfec10000, 0xfec10010];

interface Access {
  readonly address: number;
  readonly value: number;
  readonly write: boolean;
}

const port = fc.record({
  address: fc.constantFrom(...PORTS),
  value: fc.nat(255),
  write: fc.boolean(),
});
// Without ExtINT entries: QEMU acknowledges the 8259 for them even when they are masked.
const memory = fc
  .record({
    address: fc.constantFrom(...MMIO),
    value: fc.oneof(fc.nat(0x3f), fc.nat(0xffffffff), fc.nat(0x1ffff)),
    write: fc.boolean(),
  })
  .filter(({ value }) => ((value >>> 8) & 7) !== 7);

/** Later versions gained the 8259's level triggered mode, and fixed mode 1 of the 8254 and the clock's arithmetic. */
function isKnownToQemu72({ address, value, write }: Access): boolean {
  if (address === 0x70 || address === 0x71) return false;
  if (!write) return true;
  if (address === 0x43) return value >= 0xc0 || (value & 0x0e) !== 0x02;
  return (address !== 0x20 && address !== 0xa0) || (value & 0x18) !== 0x18;
}

function commandOf({ address, value, write }: Access): string {
  const isPort = address < 0x10000;
  const verb = write ? (isPort ? 'outb' : 'writel') : isPort ? 'inb' : 'readl';
  const words = [verb, `0x${address.toString(16)}`];
  if (write) words.push(`0x${value.toString(16)}`);
  return words.join(' ');
}

/** Times and alarms that no day has: QEMU has a next_alarm_time even so, the last field of the section. */
function hasImpossibleAlarm(cmos: Uint8Array): boolean {
  const binary = (cmos[0x0b]! & 0x04) !== 0;
  return [0, 1, 2, 3, 4, 5].some((index) => {
    const byte = cmos[index]!;
    const any = index % 2 === 1 && (byte & 0xc0) === 0xc0;
    const value = binary ? byte : (byte >> 4) * 10 + (byte & 0xf);
    const digits = binary || (byte & 0xf) < 10;
    return !any && !(digits && value < (index >= 4 ? 24 : 60));
  });
}

/** Clears the bytes of a UART's FIFOs that hold nothing: QEMU never writes them before they are used. */
function clearUnusedFifo(payload: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from(payload);
  for (const name of ['serial/recv_fifo', 'serial/xmit_fifo']) {
    const at = Buffer.from(bytes.buffer).indexOf(name);
    if (at < 0) continue;
    const data = at + name.length + 4;
    const [head, num] = [bytes[data + 19]!, bytes[data + 23]!];
    for (let i = num; i < 16; i++) bytes[data + ((head + i) % 16)] = 0;
  }
  return bytes;
}

function comparable(section: string, payload: Uint8Array): string {
  const bytes = section === 'serial' ? clearUnusedFifo(payload) : payload;
  return Buffer.from(bytes).toString('hex');
}

const qemus = findQemus();

describe('chips against QEMU', () => {
  it.skipIf(qemus.length === 0 && process.env['CI'] === undefined)('have a peer (needs qemu-system-x86_64)', () => {
    expect(qemus.length).toBeGreaterThan(0);
  });

  for (const program of qemus) {
    const name = program.split('/').at(-1);
    const any = fc.oneof({ weight: 4, arbitrary: port }, { weight: 1, arbitrary: memory });
    const known = isOld(program) ? any.filter(isKnownToQemu72) : any;
    const random = (count: number, seed: number) => fc.sample(known, { numRuns: count, seed });

    for (const seed of SEEDS) {
      it(`behave like ${name}, seed ${seed}`, { timeout: 60_000 }, async () => {
        const rig = new MicrovmRig(DATE_NS, RAM);
        const qemu = new StoppedQemu(program, ARGS);
        try {
          await compareAccesses(rig, qemu, random(1500, seed));
          compareSections(rig, await qemu.save());
        } finally {
          await qemu.close();
        }
      });

      it(`go on like ${name} after time has passed, seed ${seed}`, { timeout: 60_000 }, async () => {
        const rig = new MicrovmRig(DATE_NS, RAM);
        const source = new StoppedQemu(program, ARGS);
        let stream: Uint8Array;
        try {
          await compareAccesses(rig, source, random(300, seed));
          stream = await source.save();
        } finally {
          await source.close();
        }
        // No timer fires in between on either side: the machine was stopped all the time.
        const later = BigInt(seed) * 1_234_567_891n;
        const target = new MicrovmRig(DATE_NS, RAM);
        target.clock.time = Number(later);
        target.rtcClock.time = later;
        target.load(rig.sections());
        const qemu = new StoppedQemu(program, ARGS, withClock(stream, later));
        try {
          await qemu.loaded();
          await compareAccesses(target, qemu, random(600, seed + 1000));
          compareSections(target, await qemu.save());
        } finally {
          await qemu.close();
        }
      });
    }
  }
});

async function compareAccesses(rig: MicrovmRig, qemu: StoppedQemu, accesses: readonly Access[]): Promise<void> {
  for (const [index, access] of accesses.entries()) {
    const size = access.address < 0x10000 ? 1 : 4;
    const answer = await qemu.command(commandOf(access));
    if (access.write) {
      rig.poke(access.address, access.value, size);
      continue;
    }
    const ours = `OK 0x${rig.access(access.address, size).toString(16)}`;
    expect(ours, `access ${index}: ${commandOf(access)}`).toBe(answer.replace(/0x0+(?=[0-9a-f])/, '0x'));
  }
}

function compareSections(rig: MicrovmRig, stream: Uint8Array): void {
  for (const [name, payload] of rig.sections()) {
    const [section, instance] = name.split('/') as [string, string];
    const odd = section === 'mc146818rtc' && hasImpossibleAlarm(payload);
    const length = odd ? payload.length - 8 : payload.length;
    const theirs = sectionFrom(stream, section, Number(instance)).subarray(0, length);
    expect(comparable(section, payload.subarray(0, length)), name).toBe(comparable(section, theirs));
  }
}
