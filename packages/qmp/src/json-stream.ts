/** Limits of a {@link JsonStream}; what is beyond them is refused and skipped. */
export interface JsonStreamLimits {
  /** Deepest nesting of one value. */
  readonly maxDepth: number;
  /** Longest text of one value, in UTF-16 units. */
  readonly maxLength: number;
}

/** What comes out of a {@link JsonStream}, in order. */
export interface JsonStreamEvents {
  value(value: unknown): void;
  /** Something that is no JSON was skipped. */
  error(message: string): void;
}

/** QEMU's nesting limit, and far more text than any command needs. */
export const DEFAULT_JSON_LIMITS: JsonStreamLimits = { maxDepth: 1024, maxLength: 4 * 2 ** 20 };

/** Clients send this byte, which is never part of UTF-8, to get out of a half-sent value. */
const RESYNC = 0xff;
const CLOSER: Readonly<Record<string, string>> = { '{': '}', '[': ']' };

/**
 * Finds JSON objects and arrays in a stream of bytes that come in pieces of any size, and survives everything else.
 * Values need no separator. Strings may stand in single quotes, as QEMU has it. After junk, or a value beyond the
 * limits, reading goes on with the next line or the next opening brace.
 */
export class JsonStream {
  readonly #limits: JsonStreamLimits;
  readonly #events: JsonStreamEvents;
  #decoder = new TextDecoder();
  /** Text of the value so far, in plain JSON. */
  #parts: string[] = [];
  #length = 0;
  /** Closing brackets that are still to come. */
  #open: string[] = [];
  #quote: string | undefined;
  #escaped = false;
  /** Text that belongs to no value. */
  #junk = '';
  /** Skipping to the end of the line after an error inside a value. */
  #skipping = false;

  constructor(events: JsonStreamEvents, limits: JsonStreamLimits = DEFAULT_JSON_LIMITS) {
    this.#events = events;
    this.#limits = limits;
  }

  /** Takes the next bytes. */
  push(bytes: Uint8Array): void {
    let start = 0;
    for (let at = bytes.indexOf(RESYNC); at >= 0; at = bytes.indexOf(RESYNC, start)) {
      this.#text(this.#decoder.decode(bytes.subarray(start, at), { stream: true }));
      this.reset();
      start = at + 1;
    }
    this.#text(this.#decoder.decode(bytes.subarray(start), { stream: true }));
  }

  /** Forgets a half-read value. */
  reset(): void {
    this.#decoder = new TextDecoder();
    this.#junk = '';
    this.#skipping = false;
    this.#clear();
  }

  #clear(): void {
    this.#parts = [];
    this.#length = 0;
    this.#open = [];
    this.#quote = undefined;
    this.#escaped = false;
  }

  #text(text: string): void {
    for (let at = 0; at < text.length; at++) {
      const char = text[at]!;
      if (this.#skipping) {
        if (char === '\n') this.#skipping = false;
      } else if (this.#open.length === 0) this.#between(char);
      else if (this.#quote === undefined) this.#inside(char);
      else this.#inString(char);
    }
  }

  #between(char: string): void {
    if (char === '{' || char === '[') {
      this.#endJunk();
      this.#inside(char);
    } else if (/\s/.test(char)) this.#endJunk();
    else if (this.#junk.length < 32) this.#junk += char;
  }

  #endJunk(): void {
    if (this.#junk === '') return;
    this.#events.error(`JSON parse error, '${this.#junk}' is no object`);
    this.#junk = '';
  }

  #inside(char: string): void {
    if (char === '{' || char === '[') {
      if (this.#open.length >= this.#limits.maxDepth) {
        this.#fail('the value is nested too deeply');
        return;
      }
      this.#open.push(CLOSER[char]!);
    } else if (char === '}' || char === ']') {
      if (this.#open.pop() !== char) {
        this.#fail(`'${char}' closes nothing`);
        return;
      }
    } else if (char === '"' || char === "'") this.#quote = char;
    this.#append(this.#quote === undefined ? char : '"');
    if (this.#open.length === 0) this.#complete();
  }

  #inString(char: string): void {
    if (this.#escaped) {
      this.#escaped = false;
      // JSON knows no \' escape.
      this.#append(char === "'" ? "'" : `\\${char}`);
    } else if (char === '\\') this.#escaped = true;
    else if (char === this.#quote) {
      this.#quote = undefined;
      this.#append('"');
    } else this.#append(char === '"' ? '\\"' : char);
  }

  #append(text: string): void {
    this.#length += text.length;
    if (this.#length > this.#limits.maxLength) this.#fail('the value is too long');
    else this.#parts.push(text);
  }

  #complete(): void {
    const text = this.#parts.join('');
    this.#clear();
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      const shown = text.length > 60 ? `${text.slice(0, 60)}...` : text;
      this.#events.error(`JSON parse error in ${shown}`);
      return;
    }
    this.#events.value(value);
  }

  #fail(reason: string): void {
    this.#clear();
    this.#skipping = true;
    this.#events.error(`JSON parse error, ${reason}`);
  }
}
