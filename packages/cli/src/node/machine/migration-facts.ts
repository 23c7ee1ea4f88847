import type { Machine } from '@sterna/core';
import type { WireProperties } from '@sterna/migration';
import type { OwnFacts } from '../check/query-facts.ts';

/** What a destination must agree with before a migration begins. */
export function migrationFacts(machine: Machine, wireName: string, wire: WireProperties): OwnFacts {
  const devices: Record<string, number> = {};
  for (const { idstr } of machine.sections()) {
    const name = idstr.slice(idstr.lastIndexOf('/') + 1);
    devices[name] = (devices[name] ?? 0) + 1;
  }
  return {
    machine: machine.setup.type.name,
    features: machine.cpus[0]?.featureWords,
    blocks: machine.memory.blocks.map(({ name, usedLength, maxLength, resizable }) => ({
      name,
      used: usedLength,
      most: resizable ? maxLength : usedLength,
    })),
    devices,
    wire,
    wireName,
  };
}
