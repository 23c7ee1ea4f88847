import {
  type CodeTracer,
  type CpuInstrumentation,
  defineDevice,
  type GuestInstruction,
  Hooks,
  HostFiles,
  Instrumentation,
  prop,
} from '@sterna/core';
import { hex } from './report.ts';

/** Characters that are kept before they are written. */
const CHUNK = 1 << 16;

/** What is to be logged. */
export interface LogOptions {
  /** Addresses of the instructions: from the first up to the last. */
  readonly first: bigint;
  readonly last: bigint;
  /** Instructions to be passed over before the first line, and lines after which the log ends. */
  readonly skip: number;
  readonly limit: number;
  readonly accesses: boolean;
}

/** Writes a line for each instruction: vCPU, address, name, and what memory it reads and writes. */
export class ExecutionLog implements CodeTracer, Disposable {
  readonly #options: LogOptions;
  readonly #write: (text: string) => void;
  readonly access?: NonNullable<CodeTracer['access']>;
  /** Ends the trace. */
  #trace: Disposable | undefined;
  #skipped = 0;
  #lines = 0;
  #inside = false;
  #line = '';
  #text = '';

  /** @param write - gets the text in large pieces */
  constructor(options: LogOptions, write: (text: string) => void) {
    this.#options = options;
    this.#write = write;
    if (options.accesses)
      this.access = (low, high, bytes, isWrite) => {
        if (!this.#inside) return;
        const address = (BigInt(high) << 32n) | BigInt(low);
        this.#line += ` ${isWrite ? 'store' : 'load'} ${hex(address)} ${bytes}`;
      };
  }

  /** Begins to log. */
  begin(instrumentation: CpuInstrumentation): void {
    this.#trace = instrumentation.trace(this);
  }

  instruction({ address, name }: GuestInstruction, cpu: number): void {
    this.#endLine();
    const { first, last, skip, limit } = this.#options;
    this.#inside = address >= first && address <= last && this.#trace !== undefined;
    if (!this.#inside) return;
    if (this.#skipped < skip) {
      this.#skipped++;
      this.#inside = false;
      return;
    }
    if (this.#lines === limit) {
      this[Symbol.dispose]();
      return;
    }
    this.#lines++;
    this.#line = `${cpu} ${hex(address)} ${name}`;
  }

  /** Writes what is kept. */
  flush(): void {
    this.#endLine();
    if (this.#text !== '') this.#write(this.#text);
    this.#text = '';
  }

  /** Ends the log; the guest runs at its usual speed again. */
  [Symbol.dispose](): void {
    this.#trace?.[Symbol.dispose]();
    this.#trace = undefined;
    this.#inside = false;
    this.flush();
  }

  #endLine(): void {
    if (!this.#inside || this.#line === '') return;
    this.#text += `${this.#line}\n`;
    this.#line = '';
    if (this.#text.length >= CHUNK) {
      this.#write(this.#text);
      this.#text = '';
    }
  }
}

/** @throws RangeError when it is none */
function parseRange(text = '0-ffffffffffffffff'): { readonly first: bigint; readonly last: bigint } {
  const [, first, last] = /^(?:0x)?([\da-f]{1,16})-(?:0x)?([\da-f]{1,16})$/i.exec(text) ?? [];
  if (first === undefined || last === undefined)
    throw new RangeError(`range '${text}' is not FIRST-LAST, both hexadecimal`);
  return { first: BigInt(`0x${first}`), last: BigInt(`0x${last}`) };
}

/** Logs every instruction with its memory accesses. */
export const executionLog = defineDevice({
  name: 'execution-log',
  bus: 'sysbus',
  description: 'Instrument: a line for every instruction that is executed',
  properties: {
    file: prop.string({ help: 'Host file that the lines are appended to' }),
    range: prop.optionalString({
      help: 'Addresses of the instructions to be logged, FIRST-LAST, hexadecimal; default: all',
    }),
    skip: prop.u32({ default: 0, help: 'Such instructions to be passed over at first' }),
    limit: prop.u32({ default: 100_000, help: 'Lines after which the log ends' }),
    accesses: prop.bool({ default: true, help: 'Also what memory they read and write' }),
  },
  inject: [Instrumentation, Hooks, HostFiles],
  create({ file, range, ...options }, instrumentation, hooks, files) {
    const encoder = new TextEncoder();
    const log = new ExecutionLog({ ...parseRange(range), ...options }, (text) =>
      files.append(file, encoder.encode(text)),
    );
    return { log, instrumentation, hooks };
  },
  realize({ log, instrumentation, hooks }) {
    log.begin(instrumentation);
    hooks.runState.tap('execution-log', (state) => {
      if (state === 'paused') log.flush();
    });
    hooks.close.tap('execution-log', () => log.flush());
  },
  unrealize: ({ log }) => log[Symbol.dispose](),
  vmstate: 'stateless',
});
