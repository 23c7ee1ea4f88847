import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { apicState } from '../../src/apic/state.ts';
import { ApicRig } from '../support/apic-rig.ts';
import { loadState, saveState } from '../support/codec.ts';
import { describeGolden } from '../support/golden.ts';

const [ID, VERSION, TPR, PPR, EOI, LDR, DFR, SVR, ISR, TMR, IRR, ESR] = [
  0x20, 0x30, 0x80, 0xa0, 0xb0, 0xd0, 0xe0, 0xf0, 0x100, 0x180, 0x200, 0x280,
];
const [ICR_LOW, ICR_HIGH, LVT_TIMER, LVT_LINT0, INITIAL, CURRENT, DIVIDE] = [
  0x300, 0x310, 0x320, 0x350, 0x380, 0x390, 0x3e0,
];

let rig: ApicRig;

beforeEach(() => {
  rig = new ApicRig(2);
  rig.enable();
});

describe('reset', () => {
  it('masks every local source and leaves application processors waiting', () => {
    const fresh = new ApicRig(2);
    expect(fresh.apics[0]!.getBase()).toBe(0xfee00900);
    expect(fresh.apics[1]!.getBase()).toBe(0xfee00800);
    expect(fresh.read(LVT_LINT0)).toBe(0x10000);
    expect(fresh.apics[0]!.waitForSipi).toBe(false);
    expect(fresh.apics[1]!.waitForSipi).toBe(true);
    fresh.setPic(true);
    expect(fresh.cpus[0]!.line).toBe(false);
    fresh.write(LVT_LINT0, 0x700);
    expect([fresh.cpus[0]!.line, fresh.cpus[1]!.line]).toEqual([true, false]);
    expect(fresh.apics[0]!.acknowledgeInterrupt()).toBe(0x20);
  });

  it('shows its id and version', () => {
    rig.current = 1;
    expect(rig.read(ID)).toBe(0x01000000);
    expect(rig.read(VERSION)).toBe(0x00050014);
  });
});

describe('priorities', () => {
  it('delivers the highest vector above the processor priority', () => {
    rig.apics[0]!.setIrq(0x41, false);
    rig.apics[0]!.setIrq(0x52, false);
    expect(rig.cpus[0]!.line).toBe(true);
    expect(rig.apics[0]!.acknowledgeInterrupt()).toBe(0x52);
    expect(rig.read(PPR)).toBe(0x50);
    expect(rig.cpus[0]!.line).toBe(false);
    rig.write(EOI, 0);
    expect(rig.cpus[0]!.line).toBe(true);
    expect(rig.apics[0]!.acknowledgeInterrupt()).toBe(0x41);
  });

  it('holds back what is not above the task priority', () => {
    rig.write(TPR, 0x55);
    rig.apics[0]!.setIrq(0x5f, false);
    expect(rig.cpus[0]!.line).toBe(false);
    expect(rig.read(PPR)).toBe(0x55);
    rig.apics[0]!.setTpr(4);
    expect(rig.read(TPR)).toBe(0x40);
    expect(rig.cpus[0]!.line).toBe(true);
  });

  it('delivers nothing while software-disabled', () => {
    rig.write(SVR, 0xff);
    rig.apics[0]!.setIrq(0x60, false);
    expect(rig.cpus[0]!.line).toBe(false);
    expect(rig.apics[0]!.acknowledgeInterrupt()).toBe(-1);
  });

  it('serves the 8259 before its own vectors', () => {
    rig.write(LVT_LINT0, 0x700);
    rig.apics[0]!.setIrq(0x60, false);
    rig.setPic(true);
    rig.pic.readIrq = () => {
      rig.setPic(false);
      return 0x2a;
    };
    expect(rig.apics[0]!.acknowledgeInterrupt()).toBe(0x2a);
    expect(rig.apics[0]!.acknowledgeInterrupt()).toBe(0x60);
  });
});

describe('LINT0', () => {
  it('ignores the 8259 when masked', () => {
    rig.write(LVT_LINT0, 0x10700);
    rig.setPic(true);
    expect(rig.cpus[0]!.line).toBe(false);
    rig.write(LVT_LINT0, 0x700);
    expect(rig.cpus[0]!.line).toBe(true);
  });

  it('is an ordinary vector in fixed mode', () => {
    rig.write(LVT_LINT0, 0x8031);
    rig.setPic(true);
    expect(rig.read(IRR + 0x10)).toBe(1 << 0x11);
    rig.setPic(false);
    expect(rig.read(IRR + 0x10)).toBe(0);
  });

  it('lets the 8259 through when the APIC is disabled in its base MSR', () => {
    rig.write(LVT_LINT0, 0x10700);
    expect(rig.apics[0]!.setBase(0xfee00100)).toBe(true);
    expect(rig.apics[0]!.enabled).toBe(false);
    rig.setPic(true);
    expect(rig.apics[0]!.acknowledgeInterrupt()).toBe(0x20);
  });
});

describe('timer', () => {
  it('counts at 1 GHz divided by its divider', () => {
    rig.write(DIVIDE, 0x3);
    rig.write(INITIAL, 1000);
    rig.clock.advanceTo(16 * 400 + 15);
    expect(rig.read(CURRENT)).toBe(600);
    rig.clock.advanceTo(16 * 5000);
    expect(rig.read(CURRENT)).toBe(0);
  });

  it('fires once after N + 1 units', () => {
    rig.write(DIVIDE, 0xb);
    rig.write(LVT_TIMER, 0x40);
    rig.write(INITIAL, 999);
    expect(rig.apics[0]!.timerExpiry).toBe(1000);
    rig.clock.advanceTo(1000);
    expect(rig.apics[0]!.acknowledgeInterrupt()).toBe(0x40);
    expect(rig.apics[0]!.timerExpiry).toBe(-1);
    expect(rig.apics[0]!.nextTime).toBe(1000);
  });

  it('repeats with a period of N + 1 units and shows the count of the period', () => {
    rig.write(DIVIDE, 0x3);
    rig.write(LVT_TIMER, 0x200ec);
    rig.write(INITIAL, 250000);
    let fired = 0;
    for (let i = 1; i <= 5; i++) {
      rig.clock.advanceTo(i * 250001 * 16);
      if (rig.apics[0]!.acknowledgeInterrupt() === 0xec) fired++;
      rig.write(EOI, 0);
    }
    expect(fired).toBe(5);
    expect(rig.read(CURRENT)).toBe(250000);
  });

  it('stops when its entry is masked and resumes in step', () => {
    rig.write(DIVIDE, 0xb);
    rig.write(LVT_TIMER, 0x20040);
    rig.write(INITIAL, 99);
    rig.write(LVT_TIMER, 0x30040);
    expect(rig.apics[0]!.timerExpiry).toBe(-1);
    rig.clock.advanceTo(250);
    rig.write(LVT_TIMER, 0x20040);
    expect(rig.apics[0]!.timerExpiry).toBe(300);
  });
});

describe('interprocessor interrupts', () => {
  it('reach a physical destination', () => {
    rig.write(ICR_HIGH, 1 << 24);
    rig.write(ICR_LOW, 0x4061);
    expect(rig.cpus[1]!.line).toBe(true);
    expect(rig.cpus[0]!.line).toBe(false);
    expect(rig.apics[1]!.acknowledgeInterrupt()).toBe(0x61);
  });

  it('reach flat and cluster logical destinations', () => {
    rig.write(LDR, 0x01000000);
    rig.current = 1;
    rig.write(LDR, 0x02000000);
    rig.current = 0;
    rig.write(ICR_HIGH, 0x02000000);
    rig.write(ICR_LOW, 0x4862);
    expect([rig.cpus[0]!.line, rig.cpus[1]!.line]).toEqual([false, true]);
    rig.write(DFR, 0x0fffffff);
    rig.write(LDR, 0x31000000);
    rig.write(ICR_HIGH, 0x33000000);
    rig.write(ICR_LOW, 0x4863);
    expect(rig.apics[0]!.acknowledgeInterrupt()).toBe(0x63);
  });

  it('reach self, all and others by shorthand', () => {
    rig.write(ICR_LOW, 0x44064);
    expect([rig.cpus[0]!.line, rig.cpus[1]!.line]).toEqual([true, false]);
    rig.write(ICR_LOW, 0xc0465);
    expect([rig.cpus[0]!.requests, rig.cpus[1]!.requests]).toEqual([[], ['nmi']]);
    rig.write(ICR_LOW, 0x80466);
    expect([rig.cpus[0]!.requests, rig.cpus[1]!.requests]).toEqual([['nmi'], ['nmi', 'nmi']]);
  });

  it('start an application processor with INIT and SIPI', () => {
    rig.write(ICR_HIGH, 1 << 24);
    rig.write(ICR_LOW, 0xc500);
    rig.write(ICR_LOW, 0x8500);
    rig.write(ICR_LOW, 0x4609);
    expect(rig.cpus[1]!.requests).toEqual(['init', 'sipi 9']);
    expect(rig.apics[1]!.takeSipi()).toBe(9);
    expect(rig.apics[1]!.takeSipi()).toBe(-1);
    rig.apics[1]!.initReset();
    expect(rig.apics[1]!.waitForSipi).toBe(true);
  });

  it('arrive as MSI writes from anywhere', () => {
    rig.current = -1;
    rig.write(0x1000, 0x4071);
    expect(rig.cpus[1]!.line).toBe(true);
    expect(rig.apics[1]!.acknowledgeInterrupt()).toBe(0x71);
  });
});

describe('registers', () => {
  it('ignore narrow accesses', () => {
    rig.bus.region.write(SVR, 0, 1);
    expect(rig.read(SVR)).toBe(0x1ff);
    expect(rig.bus.region.read(SVR, 2)).toBe(0);
  });

  it('note unknown addresses in ESR', () => {
    expect(rig.read(0x3f0)).toBe(0);
    expect(rig.read(ESR)).toBe(0x80);
  });

  it('show TMR and ISR', () => {
    rig.apics[0]!.setIrq(0x81, true);
    rig.apics[0]!.acknowledgeInterrupt();
    expect(rig.read(TMR + 0x40)).toBe(2);
    expect(rig.read(ISR + 0x40)).toBe(2);
  });

  it('refuse reserved bits of the base MSR', () => {
    expect(rig.apics[0]!.setBase(0xfee00d00)).toBe(false);
    expect(rig.apics[0]!.setBase(2 ** 40)).toBe(false);
    expect(rig.apics[0]!.setBase(0xfee00900)).toBe(true);
  });
});

describe('state', () => {
  describeGolden('apic', ({ payload, version, instance, monitor, clockNs }) => {
    const apic = rig.apics[instance]!;
    loadState(apicState, apic, payload, version);
    expect(saveState(apicState, apic)).toEqual(payload);
    const shown = /current_count = (\d+)/.exec(monitor[`info lapic ${instance}`] ?? '');
    if (shown !== null) expect(apic.currentCount(clockNs)).toBe(Number(shown[1]));
    const ppr = /PPR 0x([0-9a-f]+)/.exec(monitor[`info lapic ${instance}`] ?? '');
    if (ppr !== null) expect(apic.ppr).toBe(Number.parseInt(ppr[1]!, 16));
  });

  it('arms the timer and tells the CPU after a load', () => {
    rig.write(LVT_TIMER, 0x40);
    rig.write(INITIAL, 99);
    rig.apics[0]!.setIrq(0x55, false);
    const payload = saveState(apicState, rig.apics[0]!);
    const other = new ApicRig(1);
    loadState(apicState, other.apics[0]!, payload);
    expect(other.cpus[0]!.line).toBe(true);
    expect(other.apics[0]!.acknowledgeInterrupt()).toBe(0x55);
    other.write(EOI, 0);
    other.clock.advanceTo(10000);
    expect(other.apics[0]!.acknowledgeInterrupt()).toBe(0x40);
  });

  it('carries the wait for a start-up message', () => {
    const payload = saveState(apicState, rig.apics[1]!);
    expect(payload.length).toBeGreaterThan(181);
    const other = new ApicRig(2);
    other.apics[1]!.waitForSipi = false;
    loadState(apicState, other.apics[1]!, payload);
    expect(other.apics[1]!.waitForSipi).toBe(true);
  });
});

it('survives any sequence of register accesses', () => {
  const step = fc.record({ offset: fc.nat(0x1fff), value: fc.nat(0xffffffff), write: fc.boolean(), cpu: fc.nat(1) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      for (const { offset, value, write, cpu } of steps) {
        rig.current = cpu;
        if (write) rig.write(offset & 0x1ff0, value);
        else expect(rig.read(offset & 0xff0)).toBeGreaterThanOrEqual(0);
        expect(rig.cpus[cpu]!.line).toBe(rig.apics[cpu]!.hasInterrupt());
        const payload = saveState(apicState, rig.apics[cpu]!);
        const copy = new ApicRig(2);
        loadState(apicState, copy.apics[cpu]!, payload);
        expect(saveState(apicState, copy.apics[cpu]!)).toEqual(payload);
      }
    }),
    { numRuns: 100 },
  );
});
