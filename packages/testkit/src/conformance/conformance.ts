/**
 * The conformance kit: what must hold of every device that migrates, checked by using the device and by moving it.
 *
 *   for (const { name, skipped, run } of conformance(myDevice, { operations }))
 *     if (skipped === undefined) test(name, run);
 */
import { type DeviceType, Dma, isVmStateTable, type VmStateTable } from '@sterna/core';
import { movesWaitingDma } from './checks/dma.ts';
import { distrustsStream, survivesFailingLoad, survivesFailingSave } from './checks/failures.ts';
import { survivesFuzzing } from './checks/fuzz.ts';
import { survivesIteration } from './checks/live.ts';
import { migratesInside } from './checks/middle.ts';
import { isDeterministic, leavesNothing, survivesGuest } from './checks/realize.ts';
import { resetIsComplete, resetIsIdempotent } from './checks/reset.ts';
import { migratesAnywhere, saveIsPure, saveLoadSave } from './checks/state.ts';
import { survivesUnplug } from './checks/unplug.ts';
import { isCompatibleWithPublished, loadsClaimedVersions } from './checks/versions.ts';
import { randomOperations } from './operations.ts';
import type { Check, ConformanceOptions, Subject } from './options.ts';

interface Row {
  readonly name: string;
  readonly check: (subject: Subject) => Promise<void>;
  /** Which devices it applies to: all, those that migrate, and of them those with live phases, DMA or a published table. */
  readonly of: 'all' | 'migratable' | 'live' | 'dma' | 'published';
}

const ROWS: readonly Row[] = [
  { name: 'whatever the guest does, the device answers', check: survivesGuest, of: 'all' },
  { name: 'whatever any guest writes, the device stays sound', check: survivesFuzzing, of: 'all' },
  { name: 'is deterministic', check: isDeterministic, of: 'all' },
  { name: 'leaves nothing behind when unrealized', check: leavesNothing, of: 'all' },
  { name: 'leaves a running machine', check: survivesUnplug, of: 'all' },
  { name: 'reset is complete', check: resetIsComplete, of: 'all' },
  { name: 'reset is idempotent', check: resetIsIdempotent, of: 'all' },
  { name: 'saving has no side effect', check: saveIsPure, of: 'migratable' },
  { name: 'save, load, save gives the same bytes', check: saveLoadSave, of: 'migratable' },
  { name: 'migrates between any two operations', check: migratesAnywhere, of: 'migratable' },
  { name: 'migrates in the middle of any operation', check: migratesInside, of: 'migratable' },
  { name: 'migrates while its DMA waits for guest pages', check: movesWaitingDma, of: 'dma' },
  { name: 'migrates while the guest changes it', check: survivesIteration, of: 'live' },
  { name: 'works on after a save that failed', check: survivesFailingSave, of: 'migratable' },
  { name: 'works on after a load that failed', check: survivesFailingLoad, of: 'migratable' },
  { name: 'distrusts the stream', check: distrustsStream, of: 'migratable' },
  { name: 'loads every version it claims to load', check: loadsClaimedVersions, of: 'migratable' },
  { name: 'is compatible with the published version', check: isCompatibleWithPublished, of: 'published' },
];

/** The checks of a device type, in the order in which their findings help most. */
export function conformance(type: DeviceType, options: ConformanceOptions = {}): Check[] {
  let subject: Promise<Subject> | undefined;
  const prepare = async (): Promise<Subject> => {
    const { vmstate } = type.descriptor;
    return {
      type,
      options,
      operations: [...(options.operations ?? []), ...(await randomOperations(type, options))],
      migrates: typeof vmstate !== 'object' || isVmStateTable(vmstate),
      table: isVmStateTable(vmstate) ? (vmstate as VmStateTable<object>) : undefined,
    };
  };
  return ROWS.map(({ name, check, of }) => {
    const skipped = reasonToSkip(type, options, of);
    return {
      name,
      ...(skipped === undefined ? {} : { skipped }),
      run: async () => {
        subject ??= prepare();
        await check(await subject);
      },
    };
  });
}

function reasonToSkip({ descriptor }: DeviceType, options: ConformanceOptions, of: Row['of']): string | undefined {
  const { vmstate } = descriptor;
  if (of === 'all') return undefined;
  if (typeof vmstate === 'object' && !isVmStateTable(vmstate)) return `the device is unmigratable: ${vmstate.reason}`;
  if (of === 'live' && descriptor.live === undefined) return 'the device has no live phases';
  if (of === 'dma' && !(descriptor.inject ?? []).includes(Dma)) return 'the device does no DMA';
  if (of === 'published' && options.published === undefined) return 'no published table was given';
  return undefined;
}

/** Outcome of one check. */
export interface CheckResult {
  readonly name: string;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  /** What was found, or why it was skipped. */
  readonly message?: string;
}

/** Runs all checks and answers what they found; for programs without a test runner. */
export async function runConformance(type: DeviceType, options: ConformanceOptions = {}): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  for (const { name, skipped, run } of conformance(type, options)) {
    if (skipped !== undefined) {
      results.push({ name, outcome: 'skipped', message: skipped });
      continue;
    }
    try {
      await run();
      results.push({ name, outcome: 'passed' });
    } catch (error) {
      results.push({ name, outcome: 'failed', message: error instanceof Error ? error.message : String(error) });
    }
  }
  return results;
}
