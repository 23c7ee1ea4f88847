import {
  defineDevice,
  Hooks,
  HostFiles,
  IrqLine,
  type LoadStream,
  Logger,
  MigrationBlockers,
  prop,
  type SaveStream,
} from '@sterna/core';

const CTRL_ENABLE = 1 << 0;
const BYTES_PER_WORD = 4;
/** Words that one iteration of a migration sends, so that other sections get their turn. */
const CHUNK_WORDS = 1024;

/** Words appended by the guest. A full log drops further words. */
class TraceLog {
  ctrl = 0;
  /** Words held. */
  head = 0;
  /** Words that the running migration has sent. */
  sent = 0;
  readonly words: Uint32Array;
  /** The line is a function of the state, so reset and load only have to call this. */
  readonly syncIrq: () => void;

  constructor(size: number, watermark: number, irq: IrqLine) {
    this.words = new Uint32Array(size / BYTES_PER_WORD);
    this.syncIrq = () => irq.set(this.head >= watermark);
  }

  append(word: number): void {
    if ((this.ctrl & CTRL_ENABLE) !== 0 && this.head < this.words.length) this.words[this.head++] = word;
    this.syncIrq();
  }

  /** Sends `first, count, words` for at most `limit` words; answers how many are left. */
  send(stream: SaveStream, limit: number): number {
    const end = Math.min(this.head, this.sent + limit);
    stream.u32(this.sent);
    stream.u32(end - this.sent);
    for (; this.sent < end; this.sent++) stream.u32(this.words[this.sent]!);
    return this.head - this.sent;
  }

  /** Takes what `send` wrote; nothing is stored before it is known to fit. */
  receive(stream: LoadStream): void {
    const first = stream.u32();
    const count = stream.u32();
    if (first + count > this.words.length)
      throw new RangeError(`${count} words at ${first} exceed the capacity of ${this.words.length}`);
    for (let i = 0; i < count; i++) this.words[first + i] = stream.u32();
  }
}

/** Append-only guest trace log with a watermark interrupt. */
export const traceLog = defineDevice({
  name: 'trace-log',
  bus: 'sysbus',
  description: 'Append-only guest trace log with a watermark interrupt',
  properties: {
    watermark: prop.u32({ default: 64, help: 'Raise the interrupt once this many words are held' }),
    size: prop.size({ default: 1024 * 1024, help: 'Capacity in bytes, a multiple of 4' }),
    mirror: prop.optionalString({ help: 'Host file that receives the log when the guest pauses' }),
  },
  inject: [IrqLine, Hooks, HostFiles, MigrationBlockers, Logger],
  create({ watermark, size, mirror }, irq, hooks, files, blockers, logger) {
    if (size === 0 || size % BYTES_PER_WORD !== 0)
      throw new RangeError(`size ${size} is not a positive multiple of ${BYTES_PER_WORD}`);
    const log = new TraceLog(size, watermark, irq);
    if (mirror === undefined) return log;
    blockers.add(`trace-log mirrors to ${mirror}, a file that the destination cannot see`);
    hooks.runState.tap('trace-log', (state) => {
      if (state !== 'paused') return;
      files.write(mirror, new Uint8Array(log.words.slice(0, log.head).buffer));
      logger.info(`${log.head} words written to ${mirror}`);
    });
    return log;
  },
  registers: (log) => ({
    CTRL: {
      offset: 0x0,
      read: () => log.ctrl,
      write: (value) => {
        log.ctrl = value & CTRL_ENABLE;
      },
    },
    HEAD: { offset: 0x4, read: () => log.head },
    DATA: { offset: 0x8, write: (word) => log.append(word) },
  }),
  reset(log) {
    log.ctrl = log.head = log.sent = 0;
    log.syncIrq();
  },
  vmstate: {
    name: 'trace-log',
    version: 2,
    minimumVersion: 1,
    fields: ({ u32 }) => [u32('head'), u32('ctrl', { since: 2 })],
    postLoad(log) {
      if (log.head > log.words.length)
        throw new RangeError(`head ${log.head} exceeds the capacity of ${log.words.length} words`);
      log.syncIrq();
    },
  },
  live: {
    version: 1,
    saveSetup(log) {
      log.sent = 0;
    },
    saveLiveIterate: (log, stream) => (log.send(stream, CHUNK_WORDS) > 0 ? 'more' : 'done'),
    statePendingEstimate: (log) => ({ mustPrecopy: (log.head - log.sent) * BYTES_PER_WORD, canPostcopy: 0 }),
    statePendingExact: (log) => ({ mustPrecopy: (log.head - log.sent) * BYTES_PER_WORD, canPostcopy: 0 }),
    saveComplete: (log, stream) => void log.send(stream, Number.POSITIVE_INFINITY),
    // The setup section of the stream is empty: nothing has to be known before the first words.
    loadState(log, stream, { phase }) {
      if (phase !== 'setup') log.receive(stream);
    },
  },
});
