import { defineDevice, type VmStateTable } from '@sterna/core';

/** Patch addresses of one flavour of the option ROM's TPR routines. */
class VapicHandlers {
  setTpr = 0;
  setTprEax = 0;
  readonly getTpr = new Uint32Array(8);
  getTprStack = 0;
}

/** What the option ROM has told about itself. */
class VapicRomState {
  vaddr = 0;
  fixupStart = 0;
  fixupEnd = 0;
  vapicVaddr = 0;
  vapicSize = 0;
  vcpuShift = 0;
  realTprAddr = 0;
  readonly up = new VapicHandlers();
  readonly mp = new VapicHandlers();
}

/**
 * The TPR optimisation for 32-bit Windows under KVM. QEMU hangs it off the first
 * local APIC whatever the accelerator, so its section is in every stream; nothing
 * here ever leaves the inactive state, and a state that arrives is passed on.
 */
class KvmVapic {
  romState = new VapicRomState();
  state = 0;
  realTprAddr = 0;
  romStateVaddr = 0;
  vapicPaddr = 0;
  romStatePaddr = 0;

  reset(): void {
    this.romState = new VapicRomState();
    this.state = 0;
    this.realTprAddr = 0;
    this.romStateVaddr = 0;
    this.vapicPaddr = 0;
    this.romStatePaddr = 0;
  }
}

const handlers: VmStateTable<VapicHandlers> = {
  name: 'kvmvapic-handlers',
  version: 1,
  fields: ({ u32, array }) => [u32('setTpr'), u32('setTprEax'), array('u32', 'getTpr', 8), u32('getTprStack')],
};

const romState: VmStateTable<VapicRomState> = {
  name: 'kvmvapic-guest-rom',
  version: 1,
  fields: ({ unused, u32, struct }) => [
    unused(8), // signature
    u32('vaddr'),
    u32('fixupStart'),
    u32('fixupEnd'),
    u32('vapicVaddr'),
    u32('vapicSize'),
    u32('vcpuShift'),
    u32('realTprAddr'),
    struct('up', handlers),
    struct('mp', handlers),
  ],
};

const kvmVapicState: VmStateTable<KvmVapic> = {
  name: 'kvm-tpr-opt',
  version: 1,
  fields: ({ struct, u32 }) => [
    struct('romState', romState),
    u32('state'),
    u32('realTprAddr'),
    u32('romStateVaddr'),
    u32('vapicPaddr'),
    u32('romStatePaddr'),
  ],
};

/** QEMU's kvmvapic device: two ports that swallow writes, and a section. */
export const kvmvapic = defineDevice({
  name: 'kvmvapic',
  bus: 'isa',
  description: 'TPR optimisation device of the first local APIC',
  create: (_properties: object) => new KvmVapic(),
  regions: () => [
    // The option ROM that would write here is never offered; reads are of the kind unassigned ports give.
    { name: 'kvmvapic', space: 'io', size: 2, defaultBase: 0x7e, read: () => 0xffff_ffff, write: () => {} },
  ],
  reset: { enter: (vapic) => vapic.reset() },
  sectionId: () => 'kvm-tpr-opt',
  vmstate: kvmVapicState,
});
