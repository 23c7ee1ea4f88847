/** Two of core's machines with a CPU that always halts, for what only a whole machine can show. */
import { CpuExit, type DeviceSpec, defineCpu, defineMachineType, Machine, type MachineSetup } from '@sterna/core';
import { MigrationController } from '../../src/controller.ts';
import { MachineMigrationHost } from '../../src/machine-host.ts';
import type { MigrationChannel } from '../../src/transport/channel.ts';
import { channelPair } from '../../src/transport/pipe.ts';
import type { SimLoop } from './sim-loop.ts';

const cpu = defineCpu({
  name: 'halted',
  description: 'Always halted',
  properties: {},
  hasTimestampCounter: false,
  create: (_, { index }) => ({
    index,
    executed: 0,
    halted: true,
    sections: [],
    run: () => CpuExit.HALT,
    hasWork: () => false,
    limitBudget: () => {},
    requestExit: () => {},
    reset: () => {},
    flushTlb: () => {},
    flushWriteTags: () => {},
    invalidateCode: () => {},
    registers: () => [],
    describe: () => '',
    translateDebug: () => undefined,
  }),
});

const { type } = defineMachineType({
  name: 'halted',
  description: 'One device of the test',
  properties: {},
  defaultRamSize: 2 ** 20,
  maxCpus: 1,
  defaultCpu: cpu,
  cpus: [cpu],
  devices: [],
  build(builder) {
    const block = builder.ram('halted.ram', builder.ramSize);
    builder.physical.map(0, { kind: 'ram', name: 'ram', block, offset: 0, size: builder.ramSize });
    builder.createCpus();
    for (const spec of builder.userDevices) builder.device(spec);
  },
});

/** A machine with the devices, its controller, and what both have said. */
export interface CoreMachine {
  readonly machine: Machine;
  readonly controller: MigrationController;
  /** Statuses and run states in order, states in brackets. */
  readonly log: string[];
  readonly reports: string[];
}

/** Makes a machine on the loop. */
export function coreMachine(
  loop: SimLoop,
  devices: readonly DeviceSpec[],
  setup: Partial<MachineSetup> = {},
): CoreMachine {
  const machine = new Machine(
    {
      type,
      properties: {},
      cpu,
      cpuProperties: {},
      cpuCount: 1,
      ramSize: 2 ** 20,
      boot: { findFirmware: () => undefined },
      devices,
      chardevs: new Map(),
      serials: [],
      ...setup,
    },
    {
      clock: { monotonicNs: () => loop.nowNs, wallNs: () => BigInt(Math.trunc(loop.nowNs)) },
      loop,
      entropy: { fill: () => {} },
      files: { write: () => {}, append: () => {} },
      log: () => {},
      tscHz: 1e9,
    },
  );
  const log: string[] = [];
  const reports: string[] = [];
  machine.hooks.runState.tap('test', (state) => void log.push(`[${state}]`));
  const host = new MachineMigrationHost(machine, {
    event: (event) => void (event.event === 'MIGRATION' && log.push(event.data.status)),
    report: (text) => void reports.push(text),
  });
  const controller = new MigrationController(host, {
    transport: {
      connect: async () => Promise.reject(new Error('no transport')),
      listen: async () => Promise.reject(new Error('no transport')),
    },
    pace: host.pace,
  });
  controller.setCapabilities([{ capability: 'events', state: true }]);
  return { machine, controller, log, reports };
}

/** Moves the guest; rejects as the source does. */
export async function move(
  loop: SimLoop,
  from: CoreMachine,
  to: CoreMachine,
  during: () => void = () => {},
): Promise<void> {
  if (to.machine.runState !== 'inmigrate') to.machine.setRunState('inmigrate');
  const [there, back]: readonly [MigrationChannel, MigrationChannel] = channelPair();
  const incoming = to.controller.migrateIncomingOverChannel(back);
  const outgoing = from.controller.migrateOverChannel(there);
  incoming.catch(() => {});
  outgoing.catch(() => {});
  during();
  await loop.run(Promise.allSettled([incoming, outgoing]));
  await outgoing;
  await incoming;
}
