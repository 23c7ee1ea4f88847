/** What a {@link LineEditor} does with its surroundings. */
export interface LineEditorEvents {
  /** Shows text. */
  write(text: string): void;
  /** A line was entered. */
  line(text: string): void;
  /** Ways to complete the text before the cursor. */
  complete(text: string): readonly string[];
}

const HISTORY = 64;
const MAX_LINE = 4096;

/** A line on a terminal: echo, cursor keys, deletion, history and completion, from the bytes a terminal sends. */
export class LineEditor {
  readonly #events: LineEditorEvents;
  readonly #history: string[] = [];
  #recalled = 0;
  #line = '';
  #cursor = 0;
  /** Bytes of an escape sequence so far. */
  #escape: string | undefined;
  #lastCr = false;

  constructor(events: LineEditorEvents) {
    this.#events = events;
  }

  /** What was typed so far. */
  get text(): string {
    return this.#line;
  }

  /** Takes one byte from the terminal. */
  key(byte: number): void {
    const char = String.fromCharCode(byte);
    const lineFeedAfterReturn = this.#lastCr && char === '\n';
    this.#lastCr = char === '\r';
    if (lineFeedAfterReturn) return;
    if (this.#escape !== undefined) this.#escapeKey(char);
    else if (char === '\x1b') this.#escape = '';
    else if (char === '\r' || char === '\n') this.#enter();
    else if (char === '\x7f' || char === '\b') this.#delete(this.#cursor - 1, this.#cursor);
    else if (char === '\t') this.#complete();
    else if (byte < 0x20) this.#control(char);
    else if (this.#line.length < MAX_LINE) this.#insert(char);
  }

  #enter(): void {
    const line = this.#line;
    this.#events.write('\r\n');
    if (line.trim() !== '' && this.#history.at(-1) !== line) this.#history.push(line);
    if (this.#history.length > HISTORY) this.#history.shift();
    this.#recalled = this.#history.length;
    this.#line = '';
    this.#cursor = 0;
    this.#events.line(line);
  }

  #insert(text: string): void {
    const tail = this.#line.slice(this.#cursor);
    this.#line = this.#line.slice(0, this.#cursor) + text + tail;
    this.#cursor += text.length;
    this.#events.write(text + tail + left(tail.length));
  }

  #delete(from: number, to: number): void {
    const start = Math.max(0, from);
    if (start >= to || start >= this.#line.length) return;
    const tail = this.#line.slice(to);
    const back = this.#cursor - start;
    this.#line = this.#line.slice(0, start) + tail;
    this.#cursor = start;
    this.#events.write(`${left(back)}${tail}\x1b[K${left(tail.length)}`);
  }

  #move(to: number): void {
    const target = Math.min(Math.max(0, to), this.#line.length);
    const steps = target - this.#cursor;
    this.#cursor = target;
    this.#events.write(steps < 0 ? left(-steps) : steps > 0 ? `\x1b[${steps}C` : '');
  }

  #replace(text: string): void {
    this.#move(0);
    this.#line = text;
    this.#cursor = text.length;
    this.#events.write(`\x1b[K${text}`);
  }

  #recall(step: number): void {
    const index = this.#recalled + step;
    if (index < 0 || index > this.#history.length) return;
    this.#recalled = index;
    this.#replace(this.#history[index] ?? '');
  }

  #control(char: string): void {
    switch (char) {
      case '\x01':
        this.#move(0);
        break;
      case '\x05':
        this.#move(this.#line.length);
        break;
      case '\x02':
        this.#move(this.#cursor - 1);
        break;
      case '\x06':
        this.#move(this.#cursor + 1);
        break;
      case '\x04':
        this.#delete(this.#cursor, this.#cursor + 1);
        break;
      case '\x0b':
        this.#delete(this.#cursor, this.#line.length);
        break;
      case '\x15':
        this.#delete(0, this.#cursor);
        break;
      case '\x17':
        this.#delete(this.#line.slice(0, this.#cursor).trimEnd().lastIndexOf(' ') + 1, this.#cursor);
        break;
      case '\x10':
        this.#recall(-1);
        break;
      case '\x0e':
        this.#recall(1);
        break;
    }
  }

  #escapeKey(char: string): void {
    this.#escape += char;
    const sequence = this.#escape!;
    // CSI and SS3 sequences end with a letter or '~'; anything else after ESC is one key.
    if (sequence === '[' || sequence === 'O' || (sequence.length < 8 && /^\[[0-9;]*$/.test(sequence))) return;
    this.#escape = undefined;
    switch (sequence) {
      case '[A':
      case 'OA':
        this.#recall(-1);
        break;
      case '[B':
      case 'OB':
        this.#recall(1);
        break;
      case '[C':
      case 'OC':
        this.#move(this.#cursor + 1);
        break;
      case '[D':
      case 'OD':
        this.#move(this.#cursor - 1);
        break;
      case '[H':
      case 'OH':
      case '[1~':
        this.#move(0);
        break;
      case '[F':
      case 'OF':
      case '[4~':
        this.#move(this.#line.length);
        break;
      case '[3~':
        this.#delete(this.#cursor, this.#cursor + 1);
        break;
    }
  }

  #complete(): void {
    const typed = this.#line.slice(0, this.#cursor);
    const ways = this.#events.complete(typed);
    const common = ways.reduce((a, b) => a.slice(0, commonLength(a, b)), ways[0] ?? '');
    if (common.length > typed.length && common.startsWith(typed)) this.#insert(common.slice(typed.length));
  }
}

function commonLength(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return length;
}

function left(steps: number): string {
  return steps > 0 ? `\x1b[${steps}D` : '';
}
