/**
 * Walks a migration stream of any length and condition, part by part. Whatever can be read is shown, up to the place
 * where nothing can be followed any more; a stream that a destination would refuse is looked at all the same.
 */
import { messageOf, StreamError } from '../errors.ts';
import { MAX_BUFFERED, SECTION, VM_FILE_MAGIC, VM_FILE_VERSION } from '../stream/constants.ts';
import { decodeInto, emptyStruct } from '../vmstate/decode.ts';
import type { DeviceDescription } from '../vmstate/describe.ts';
import { commandMeaning, commandName } from './commands.ts';
import { listedCapabilities, readConfigurationParts } from './configuration.ts';
import { findDescription, parseDescription } from './description.ts';
import type { SectionItem, StreamItem } from './items.ts';
import { type RamListener, RamWalk } from './ram-walk.ts';
import { type ByteSource, SourceCursor } from './source.ts';

/** How to walk. */
export interface WalkOptions {
  /** Where in the source the stream begins, as after `file:PATH,offset=`. */
  readonly start?: number;
  /** Told of every record of RAM. */
  readonly ram?: RamListener;
}

/** The parts of a stream in their order; the last one says so when the stream is damaged. */
export function* walkStream(source: ByteSource, options: WalkOptions = {}): Generator<StreamItem> {
  const walk = new Walk(source, options);
  try {
    yield* walk.run();
  } catch (error) {
    if (!(error instanceof StreamError)) throw error;
    yield* walk.interrupted();
    yield {
      type: 'damage',
      offset: error.place.offset ?? walk.offset,
      message: error.detail,
      place: error.place,
    };
  }
}

/** One walk: what of the stream matters for what follows. */
class Walk {
  readonly #cursor: SourceCursor;
  readonly #start: number;
  readonly #devices: Map<string, DeviceDescription>;
  readonly #ram: RamWalk;
  readonly #warnings: StreamItem[] = [];
  /** Sections by number. */
  readonly #begun = new Map<number, Pick<SectionItem, 'idstr' | 'instance' | 'version'>>();
  /** The section that is being read. */
  #open: SectionItem | undefined;
  #ended = false;

  constructor(source: ByteSource, { start = 0, ram = {} }: WalkOptions) {
    this.#start = start;
    this.#cursor = new SourceCursor(source, start);
    const described = findDescription(source)?.description.devices ?? [];
    this.#devices = new Map(described.map((device) => [`${device.name}/${device.instance_id}`, device]));
    this.#ram = new RamWalk(ram, (offset, message) => this.#warnings.push({ type: 'warning', offset, message }));
  }

  get offset(): number {
    return this.#cursor.offset;
  }

  *run(): Generator<StreamItem> {
    const cursor = this.#cursor;
    const magic = cursor.u32();
    if (magic !== VM_FILE_MAGIC)
      throw new StreamError('this is not a migration stream: no QEVM at its start', { offset: this.#start });
    const version = cursor.u32();
    if (version !== VM_FILE_VERSION)
      throw new StreamError(`stream version ${version}, known is ${VM_FILE_VERSION}`, { offset: this.#start + 4 });
    yield { type: 'header', offset: this.#start, version };
    while (cursor.left > 0 && !this.#ended) {
      const item = this.#item();
      yield* this.#warnings.splice(0);
      yield item;
    }
    if (!this.#ended) throw new StreamError('the stream ends without its end mark', { offset: cursor.offset });
    yield* this.#tail();
  }

  /** What was read of the section in which the stream is damaged. */
  *interrupted(): Generator<StreamItem> {
    yield* this.#warnings.splice(0);
    if (this.#open === undefined) return;
    this.#open.bodyLength = Math.max(
      0,
      Math.min(this.#cursor.offset, this.#cursor.source.size) - this.#open.bodyOffset,
    );
    yield this.#open;
  }

  #item(): StreamItem {
    const cursor = this.#cursor;
    const { offset } = cursor;
    const type = cursor.u8();
    switch (type) {
      case SECTION.configuration: {
        const { machine, parts } = readConfigurationParts(cursor);
        const capabilities = listedCapabilities(parts);
        this.#ram.capabilities.mappedRam = capabilities.includes('mapped-ram');
        this.#ram.capabilities.ignoreShared = capabilities.includes('x-ignore-shared');
        return { type: 'configuration', offset, machine, parts };
      }
      case SECTION.command: {
        const command = cursor.u16();
        const payload = cursor.bytes(cursor.u16());
        if (commandName(command) === `command ${command}`)
          this.#warnings.push({ type: 'warning', offset, message: `command ${command} is not known` });
        // A package is a stream of sections as well: they are read like the others.
        return {
          type: 'command',
          offset,
          command,
          name: commandName(command),
          payload,
          meaning: commandMeaning(command, payload),
        };
      }
      case SECTION.start:
      case SECTION.full:
      case SECTION.part:
      case SECTION.end:
        return this.#section(offset, type);
      case SECTION.eof:
        this.#ended = true;
        return { type: 'eof', offset };
      default:
        throw new StreamError(`unknown section type ${type}`, { offset });
    }
  }

  #section(offset: number, type: 1 | 2 | 3 | 4): SectionItem {
    const cursor = this.#cursor;
    const id = cursor.u32();
    const named = type === SECTION.start || type === SECTION.full;
    const name = named
      ? { idstr: cursor.countedString(), instance: cursor.u32(), version: cursor.u32() }
      : this.#begun.get(id);
    if (name === undefined) throw new StreamError(`section ${id} was never begun`, { offset });
    if (named) this.#begun.set(id, name);
    const kind = ({ 1: 'start', 2: 'part', 3: 'end', 4: 'full' } as const)[type];
    const section: SectionItem = {
      type: 'section',
      offset,
      kind,
      id,
      ...name,
      bodyOffset: cursor.offset,
      bodyLength: 0,
      body: { kind: 'bytes' },
      footer: false,
    };
    this.#open = section;
    try {
      this.#body(section);
      section.bodyLength = cursor.offset - section.bodyOffset;
      this.#footer(section);
    } catch (error) {
      throw StreamError.at(error, { section: name.idstr, instance: name.instance, offset: cursor.offset });
    }
    this.#open = undefined;
    return section;
  }

  #body(section: SectionItem): void {
    const cursor = this.#cursor;
    if (section.idstr === 'ram' && section.kind !== 'full') {
      const summary = this.#ram.empty();
      section.body = { kind: 'ram', summary };
      this.#ram.section(cursor, summary);
      return;
    }
    const description = section.kind === 'full' ? this.#devices.get(`${section.idstr}/${section.instance}`) : undefined;
    if (description !== undefined) {
      const state = emptyStruct({ ...description, vmsd_name: description.vmsd_name ?? section.idstr });
      section.body = { kind: 'fields', state, by: 'stream' };
      decodeInto(cursor, description, state);
      return;
    }
    cursor.offset = this.#footerBehind(section.id);
  }

  #footer(section: SectionItem): void {
    const cursor = this.#cursor;
    if (cursor.peek() !== SECTION.footer) {
      // A stream may be without footers, if it was asked for.
      if (this.#begun.size > 0 && this.#isSectionType(cursor.peek())) return;
      throw new StreamError(`no footer of section ${section.id}, but byte ${cursor.peek() ?? 'nothing'}`);
    }
    const { offset } = cursor;
    cursor.skip(1);
    const found = cursor.u32();
    if (found !== section.id) throw new StreamError(`the footer is of section ${found}, not ${section.id}`, { offset });
    section.footer = true;
  }

  /** Offset of the first thing that can be this section's footer: for bodies of unknown length. */
  #footerBehind(id: number): number {
    const { source, offset } = this.#cursor;
    const mark = Uint8Array.of(SECTION.footer, id >>> 24, id >>> 16, id >>> 8, id);
    const most = Math.min(source.size - offset, MAX_BUFFERED);
    const bytes = source.read(offset, most).slice();
    for (let at = bytes.indexOf(SECTION.footer); at >= 0; at = bytes.indexOf(SECTION.footer, at + 1)) {
      if (!mark.every((byte, i) => bytes[at + i] === byte)) continue;
      if (this.#isSectionType(bytes[at + 5])) return offset + at;
    }
    this.#cursor.offset = offset + most;
    throw new StreamError(`the stream ends without the footer of section ${id}`, { offset: offset + most });
  }

  /** Whether a section or command may begin with the byte, or the stream ends there. */
  #isSectionType(byte: number | undefined): boolean {
    return byte === undefined || byte <= SECTION.full || byte === SECTION.command;
  }

  /** What may follow the end mark. */
  *#tail(): Generator<StreamItem> {
    const cursor = this.#cursor;
    if (cursor.peek() === SECTION.vmdescription) {
      const { offset } = cursor;
      cursor.skip(1);
      const length = cursor.u32();
      const description = parseDescription(cursor.bytes(length));
      yield { type: 'vmdescription', offset, length, description };
      if (description === undefined)
        yield { type: 'warning', offset, message: 'the description of the devices is no JSON that is understood' };
    }
    if (cursor.left > 0) yield { type: 'trailing', offset: cursor.offset, length: cursor.left };
  }
}

/** Whether an item of this kind means that a destination would not take the stream. */
export function isDamage(item: StreamItem): item is Extract<StreamItem, { type: 'damage' }> {
  return item.type === 'damage';
}

/** The text of what is wrong. */
export function damageText(item: Extract<StreamItem, { type: 'damage' }>): string {
  return messageOf(new StreamError(item.message, item.place));
}
