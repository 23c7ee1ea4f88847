/** A device's part of the stream: its sections, saved and loaded by migration's codecs without a migration around them. */
import { isVmStateTable, type Machine, type SavableSection, type SaveContext } from '@sterna/core';
import { loadVmState, StreamReader, StreamWriter, saveVmState } from '@sterna/migration';
import { MemoryChannel } from './memory-channel.ts';

/** Parts of a live device that are asked for while it has more, at most. */
const MAX_PARTS = 10_000;
const BUDGET = 1 << 20;

/** One section's content. */
export interface SavedSection {
  readonly idstr: string;
  readonly kind: 'live' | 'full';
  /** Version in its header. */
  readonly version: number;
  readonly phase: 'setup' | 'iterate' | 'complete';
  readonly bytes: Uint8Array;
}

/** What travels of a device and the machine's clock. */
export type SavedDevice = readonly SavedSection[];

const context = (): SaveContext => ({ budget: BUDGET, signal: new AbortController().signal, switchoverAck: false });

/** What has a machine: a bench for a device or a processor. */
export interface HasMachine {
  readonly machine: Machine;
}

function sectionsOf({ machine }: HasMachine): readonly SavableSection[] {
  return machine.sections();
}

async function collect(fill: (writer: StreamWriter) => unknown): Promise<Uint8Array> {
  const channel = new MemoryChannel();
  const writer = new StreamWriter(channel);
  await fill(writer);
  await writer.flushed();
  return channel.bytes;
}

/**
 * Saves as the last phase of a migration does, live parts first. The machine must be stopped.
 *
 * @param between - called after each live part, for what may happen while a guest runs on
 */
export async function saveDevice(
  harness: HasMachine,
  between: (part: number) => void | Promise<void> = () => {},
): Promise<SavedDevice> {
  const saved: SavedSection[] = [];
  for (const { idstr, live, state } of sectionsOf(harness)) {
    if (live === undefined || live.isActive?.(state) === false) continue;
    const add = async (phase: SavedSection['phase'], fill: (writer: StreamWriter) => unknown): Promise<void> => {
      saved.push({ idstr, kind: 'live', version: live.version, phase, bytes: await collect(fill) });
    };
    live.savePrepare?.(state);
    try {
      await add('setup', (writer) => live.saveSetup?.(state, writer, context()));
      for (let part = 0, more = live.saveLiveIterate !== undefined; more && part < MAX_PARTS; part++) {
        if (live.isActiveIterate?.(state) === false) break;
        await add('iterate', async (writer) => {
          more = (await live.saveLiveIterate?.(state, writer, context())) === 'more';
        });
        await between(part);
      }
      live.switchoverStart?.(state);
      await add('complete', (writer) => live.saveComplete(state, writer, context()));
    } finally {
      live.saveCleanup?.(state);
    }
  }
  for (const { idstr, vmstate, state } of sectionsOf(harness)) {
    if (!isVmStateTable(vmstate) || vmstate.needed?.(state) === false) continue;
    const bytes = await collect((writer) => void saveVmState(writer, vmstate, state));
    saved.push({ idstr, kind: 'full', version: vmstate.version, phase: 'complete', bytes });
  }
  return saved;
}

/**
 * Loads what {@link saveDevice} has saved.
 *
 * @throws what a migration's destination would report
 */
export async function loadDevice(harness: HasMachine, saved: SavedDevice): Promise<void> {
  const sections = sectionsOf(harness);
  for (const { live, state } of sections) live?.loadSetup?.(state);
  try {
    for (const part of saved) await loadSection(sections, part);
  } finally {
    for (const { live, state } of sections) live?.loadCleanup?.(state);
  }
}

async function loadSection(sections: readonly SavableSection[], part: SavedSection): Promise<void> {
  const { idstr, kind, version, phase, bytes } = part;
  const section = sections.find((candidate) => candidate.idstr === idstr);
  if (section === undefined) throw new Error(`the destination has no section ${idstr}`);
  const { live, vmstate, state } = section;
  const reader = new StreamReader(new MemoryChannel(bytes));
  if (kind === 'full') {
    if (isVmStateTable(vmstate)) await loadVmState(reader, vmstate, state, version);
  } else if (live !== undefined) {
    await reader.restartable(() => live.loadState(state, reader, { version, phase, approveSwitchover: () => {} }));
  }
  if (await reader.hasMore())
    throw new Error(
      `section ${idstr}: ${bytes.length - reader.offset} bytes are left after loading; save and load disagree`,
    );
}

/** Whether two saves are the same, byte for byte; names the first section that is not. */
export function differenceOf(a: SavedDevice, b: SavedDevice): string | undefined {
  if (a.length !== b.length) return `${a.length} sections or parts against ${b.length}`;
  for (const [i, { idstr, kind, bytes }] of a.entries()) {
    const other = b[i]!.bytes;
    if (bytes.length !== other.length) return `${kind} section ${idstr}: ${bytes.length} bytes against ${other.length}`;
    const at = bytes.findIndex((byte, index) => byte !== other[index]);
    if (at >= 0)
      return `${kind} section ${idstr}: byte ${at} is 0x${bytes[at]!.toString(16)} against 0x${other[at]!.toString(16)}`;
  }
  return undefined;
}
