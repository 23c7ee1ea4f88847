import { describe, expect, it } from 'vitest';
import { ApicRig } from '../support/apic-rig.ts';

const X2APIC = 0xfee00c00;

const x2 = (count = 2) => {
  const rig = new ApicRig(count);
  for (const apic of rig.apics) expect(apic.setBase(X2APIC, true)).toBe(true);
  return rig;
};
const read = (rig: ApicRig, cpu: number, register: number) => {
  const out = new Uint32Array(2);
  return rig.apics[cpu]!.readX2apic(register, out) ? [...out] : 'fault';
};

describe('x2APIC mode', () => {
  it('needs the feature, and an enabled APIC to come from', () => {
    const [apic] = new ApicRig(1).apics;
    expect(apic!.setBase(X2APIC)).toBe(false);
    expect(apic!.setBase(0xfee00400, true)).toBe(false);
    expect(apic!.setBase(0xfee00000, true)).toBe(true);
    expect(apic!.setBase(X2APIC, true)).toBe(false);
    expect(apic!.setBase(0xfee00800, true)).toBe(true);
    expect(apic!.setBase(X2APIC, true)).toBe(true);
    expect(apic!.setBase(0xfee00800, true)).toBe(false);
  });

  it('has registers behind MSRs only there', () => {
    const rig = new ApicRig(1);
    expect(read(rig, 0, 3)).toBe('fault');
    expect(rig.apics[0]!.writeX2apic(8, 0, 0)).toBe(false);
  });

  it('derives the logical id from the id', () => {
    const rig = x2();
    expect(read(rig, 1, 2)).toEqual([1, 0]);
    expect(read(rig, 1, 0xd)).toEqual([2, 0]);
  });

  it.each([
    ['EOI', 0xb, 1, 0],
    ['ESR', 0x28, 1, 0],
    ['TPR', 8, 0x100, 0],
    ['self IPI', 0x3f, 0x100, 0],
    ['upper half', 0x32, 0, 1],
    ['version', 3, 0, 0],
    ['DFR', 0xe, 0, 0],
  ])('faults on a wrong write to %s', (_name, register, low, high) => {
    expect(x2().apics[0]!.writeX2apic(register, low, high)).toBe(false);
  });

  it('sends to a 32-bit destination with one write', () => {
    const rig = x2();
    expect(rig.apics[0]!.writeX2apic(0x30, 0x4041, 1)).toBe(true);
    expect(rig.apics[1]!.irr[2]).toBe(2);
    expect(rig.apics[0]!.irr[2]).toBe(0);
    expect(read(rig, 0, 0x30)).toEqual([0x4041, 1]);
    rig.apics[0]!.writeX2apic(0x30, 0x4842, 1); // logical: bit 0 of cluster 0
    expect(rig.apics[0]!.irr[2]).toBe(4);
    rig.apics[0]!.writeX2apic(0x30, 0x4043, 0xffff_ffff);
    expect(rig.apics.map((apic) => apic.irr[2]! & 8)).toEqual([8, 8]);
  });

  it('leaves the memory page to nobody', () => {
    const rig = x2(1);
    expect(rig.bus.region.read(0x30, 4)).toBe(0xffff_ffff);
  });
});

describe('TSC deadline', () => {
  const deadlineTimer = (rig: ApicRig) => rig.apics[0]!.writeRegister(0x32, 0x400ef);

  it('interrupts once, and only in its mode', () => {
    const rig = new ApicRig(1);
    const apic = rig.apics[0]!;
    apic.armDeadline(100);
    expect(apic.deadlinePending).toBe(false);
    deadlineTimer(rig);
    apic.armDeadline(100);
    expect(apic.deadlinePending).toBe(true);
    rig.clock.advanceTo(rig.clock.now() + 100);
    expect(apic.deadlinePending).toBe(false);
    expect(apic.irr[7]).toBe(0x8000);
  });

  it('is disarmed, and by a change of the mode', () => {
    const rig = new ApicRig(1);
    const apic = rig.apics[0]!;
    deadlineTimer(rig);
    apic.armDeadline(100);
    apic.armDeadline(undefined);
    expect(apic.deadlinePending).toBe(false);
    apic.armDeadline(100);
    apic.writeRegister(0x32, 0xef);
    rig.clock.advanceTo(rig.clock.now() + 200);
    expect(apic.irr[7]).toBe(0);
  });
});
