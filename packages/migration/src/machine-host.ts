import { type Machine, MEMORY_LAYOUT } from '@sterna/core';
import type { BufferArea, MigrationEvent, MigrationHost } from './host.ts';

/** Bytes of the machine's host area that one migration works in: a byte per page of 4 GiB, and pages on their way. */
const BUFFER_BYTES = 2 * 2 ** 20;
const buffersOf = new WeakMap<Machine, BufferArea>();

function buffers(machine: Machine): BufferArea {
  let area = buffersOf.get(machine);
  if (area === undefined) {
    area = { offset: machine.memory.reserveHostArea(BUFFER_BYTES), size: BUFFER_BYTES };
    buffersOf.set(machine, area);
  }
  return area;
}

/** How the control plane hears of a migration. */
export interface MachineHostListeners {
  /** Takes an event. */
  emit(event: MigrationEvent): void;
  /** Takes a line for the user. */
  report?(text: string): void;
}

/** Shows a machine of core to the migration. */
export function machineHost(machine: Machine, listeners: MachineHostListeners): MigrationHost {
  const { setup, memory } = machine;
  return {
    machineName: setup.type.name,
    ...(setup.uuid === undefined ? {} : { uuid: uuidBytes(setup.uuid) }),
    get runState() {
      return machine.runState;
    },
    stop: (state) => machine.stop(state),
    start: () => machine.start(),
    setRunState: (state) => machine.setRunState(state),
    sections: () => machine.sections(),
    blockedReasons: (mode) => machine.blockers.reasons(mode),
    memory: memory.memory,
    pageFlags: MEMORY_LAYOUT.pageFlags,
    buffers: buffers(machine),
    ramBlocks: () => memory.blocks,
    resizeRam: (block, usedLength) => memory.resize(block, usedLength),
    markWritten: (hostAddress, length) => memory.markWritten(hostAddress, length),
    flushWriteTags: () => {
      for (const cpu of machine.cpus) cpu.flushWriteTags();
    },
    emit: (event) => listeners.emit(event),
    ...(listeners.report === undefined ? {} : { report: listeners.report }),
  };
}

function uuidBytes(uuid: string): Uint8Array {
  return Uint8Array.from(uuid.replaceAll('-', '').match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
