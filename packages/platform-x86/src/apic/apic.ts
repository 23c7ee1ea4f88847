import { defineDevice, Hooks, prop, VirtualClock } from '@sterna/core';
import { LoadGate } from '../support/load-gate.ts';
import { ApicBus } from './apic-bus.ts';
import { CpuPort } from './cpu-port.ts';
import { LocalApic } from './local-apic.ts';
import { apicState } from './state.ts';

/** A CPU's local APIC. Its registers are reached through the {@link ApicBus}. */
export const apic = defineDevice({
  name: 'apic',
  bus: 'sysbus',
  description: 'Local APIC of one CPU',
  properties: {
    index: prop.u32({ help: 'Index of the CPU; 0 is the bootstrap processor' }),
    'apic-id': prop.optionalU32({ help: 'APIC id after reset, 0-254; the index by default' }),
  },
  inject: [CpuPort, ApicBus, VirtualClock, Hooks],
  create(
    { index, 'apic-id': id = index }: { readonly index: number; readonly 'apic-id': number | undefined },
    cpu: CpuPort,
    bus: ApicBus,
    clock: VirtualClock,
    hooks: Hooks,
  ) {
    if (id > 254) throw new RangeError(`apic: id ${id} exceeds 254`);
    const state = new LocalApic(index, id, cpu, bus, clock, new LoadGate('apic', hooks));
    bus.attachApic(state);
    return state;
  },
  reset: { enter: (state) => state.reset() },
  unrealize: (state) => state.detach(),
  vmstate: apicState,
});
