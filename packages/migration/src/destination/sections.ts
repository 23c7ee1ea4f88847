import { isVmStateTable, type LoadContext } from '@sterna/core';
import { StreamError } from '../errors.ts';
import type { StateSection } from '../host.ts';
import { RAM_VERSION } from '../ram/load.ts';
import { globalStateTable } from '../sections/global-state.ts';
import { SECTION } from '../stream/constants.ts';
import { loadVmState } from '../vmstate/load.ts';
import { approveSwitchover, readCommand } from './commands.ts';
import type { DestinationContext, LoadedSection } from './context.ts';

const PHASE = {
  [SECTION.start]: 'setup',
  [SECTION.part]: 'iterate',
  [SECTION.end]: 'complete',
  [SECTION.full]: 'complete',
} as const;

const KIND = {
  [SECTION.start]: 'start',
  [SECTION.part]: 'part',
  [SECTION.end]: 'end',
  [SECTION.full]: 'full',
} as const;

/** Phase 2: sections and commands in whatever order they come, up to the end mark. */
export async function readSections(ctx: DestinationContext): Promise<void> {
  const { reader } = ctx;
  for (;;) {
    await reader.ensure(1);
    const at = reader.offset;
    const type = reader.u8();
    switch (type) {
      case SECTION.eof:
        return;
      case SECTION.start:
      case SECTION.full:
        await namedSection(ctx, type);
        break;
      case SECTION.part:
      case SECTION.end:
        await numberedSection(ctx, type);
        break;
      case SECTION.command:
        await readCommand(ctx);
        break;
      default:
        throw new StreamError(`unknown section type ${type}`, { offset: at });
    }
  }
}

async function namedSection(ctx: DestinationContext, type: 1 | 4): Promise<void> {
  const { reader } = ctx;
  const at = reader.offset - 1;
  await reader.ensure(5);
  await reader.ensure(5 + reader.peekAt(4) + 8);
  const id = reader.u32();
  const [idstr, instanceId, version] = [reader.countedString(), reader.u32(), reader.u32()];
  const loaded: LoadedSection = { idstr, instanceId, version, section: findSection(ctx, idstr, instanceId, at) };
  ctx.byId.set(id, loaded);
  ctx.seen.add(`${idstr}/${loaded.section?.instanceId ?? instanceId}`);
  await loadSection(ctx, loaded, type, id);
}

async function numberedSection(ctx: DestinationContext, type: 2 | 3): Promise<void> {
  const { reader } = ctx;
  await reader.ensure(4);
  const id = reader.u32();
  const loaded = ctx.byId.get(id);
  if (loaded === undefined) throw new StreamError(`section ${id} was never begun`, { offset: reader.offset - 4 });
  await loadSection(ctx, loaded, type, id);
}

function findSection(ctx: DestinationContext, idstr: string, instanceId: number, at: number): StateSection | undefined {
  if ((idstr === 'ram' || idstr === 'globalstate') && instanceId === 0) return undefined;
  const found = ctx.sections.find(
    (section) => section.idstr === idstr && (section.instanceId === instanceId || section.aliasId === instanceId),
  );
  if (found !== undefined) return found;
  throw new StreamError('this machine has no such device; start it with the same devices and options as the source', {
    section: idstr,
    instance: instanceId,
    offset: at,
  });
}

async function loadSection(
  ctx: DestinationContext,
  loaded: LoadedSection,
  type: 1 | 2 | 3 | 4,
  id: number,
): Promise<void> {
  const { idstr, instanceId } = loaded;
  ctx.probe?.sectionBegin(KIND[type], { id, idstr, instanceId }, ctx.reader.offset);
  try {
    await loadData(ctx, loaded, type);
    await footer(ctx, id);
    ctx.probe?.sectionEnd(ctx.reader.offset);
  } catch (error) {
    throw StreamError.at(error, { section: idstr, instance: instanceId, offset: ctx.reader.offset });
  }
}

async function loadData(ctx: DestinationContext, loaded: LoadedSection, type: 1 | 2 | 3 | 4): Promise<void> {
  const { reader } = ctx;
  const { idstr, version, section } = loaded;
  if (idstr === 'ram') {
    if (version !== RAM_VERSION) throw new StreamError(`version ${version}, known is ${RAM_VERSION}`);
    if (type === SECTION.full) throw new StreamError('RAM is not sent in one piece');
    return ctx.ram.load(reader);
  }
  // Both layouts have the same bytes.
  if (section === undefined) return loadVmState(reader, globalStateTable(true), ctx.globalState, version);
  const { vmstate, live, state } = section;
  if (type === SECTION.full) {
    ctx.rehearsal?.stop();
    await ctx.loadThreads?.done(state);
  }
  if (type === SECTION.full && isVmStateTable(vmstate)) return loadVmState(reader, vmstate, state, version);
  if (live === undefined) throw new StreamError(`the section comes in parts, but this device is sent whole`);
  if (version > live.version) throw new StreamError(`version ${version} is newer than the local ${live.version}`);
  const context: LoadContext = { version, phase: PHASE[type], approveSwitchover: () => approveSwitchover(ctx, state) };
  await reader.restartable(() => live.loadState(state, reader, context));
}

async function footer({ reader, wire }: DestinationContext, id: number): Promise<void> {
  if (!wire.sendSectionFooter) return;
  await reader.ensure(5);
  const at = reader.offset;
  const mark = reader.u8();
  if (mark !== SECTION.footer)
    throw new StreamError(
      `no section footer, but byte ${mark}: this side reads fewer or more bytes than the source has written`,
      { offset: at },
    );
  const found = reader.u32();
  if (found !== id) throw new StreamError(`the footer is of section ${found}, not ${id}`, { offset: at });
}
