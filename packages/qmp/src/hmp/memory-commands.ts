import type { HmpCommand, HmpContext } from './define-hmp.ts';
import { evaluate } from './expression.ts';

const SIZES: Readonly<Record<string, number>> = { b: 1, h: 2, w: 4, g: 8 };
/** Bytes in a line, and the columns of one value, by format. */
const LINE_BYTES = { c: 8, other: 16, bytes: 8 } as const;

/** `/COUNT FORMAT SIZE` in front of an address or expression. */
interface Format {
  readonly count: number;
  readonly kind: string;
  readonly size: number;
  readonly rest: string;
}

function parseFormat(args: readonly string[]): Format {
  const text = args.join(' ');
  const match = /^\/(\d*)([a-z]*)\s*(.*)$/s.exec(text);
  if (match === null) return { count: 1, kind: 'x', size: 4, rest: text };
  const [, count, letters, rest] = match;
  let [kind, size] = ['x', 4];
  for (const letter of letters!) {
    if (Object.hasOwn(SIZES, letter)) size = SIZES[letter]!;
    else if ('xduoc'.includes(letter)) kind = letter;
    else if (letter === 'i') throw new RangeError('there is no disassembler here; use gdb');
    else throw new RangeError(`invalid char in format: '${letter}'`);
  }
  if (kind === 'c') size = 1;
  return { count: count === '' ? 1 : Number(count), kind, size, rest: rest! };
}

function value({ target, cpuIndex }: HmpContext, text: string): bigint {
  return evaluate(text, (name) => target.cpus[cpuIndex]?.register?.(name));
}

/** A number as a format shows it, as wide as it can get in memory dumps. */
function show(number: bigint, kind: string, size: number, wide: boolean): string {
  const bits = size * 8;
  switch (kind) {
    case 'd':
      return String(BigInt.asIntN(bits, number)).padStart(wide ? DECIMAL_DIGITS[size]! + 1 : 0);
    case 'u':
      return String(number).padStart(wide ? DECIMAL_DIGITS[size]! : 0);
    case 'o':
      return `0${number.toString(8).padStart(wide ? Math.ceil(bits / 3) : 0, '0')}`;
    case 'c':
      return characterText(Number(number & 0xffn));
    default:
      return `0x${number.toString(16).padStart(wide ? size * 2 : 0, '0')}`;
  }
}

/** Digits of the largest number of so many bytes. */
const DECIMAL_DIGITS: Readonly<Record<number, number>> = { 1: 3, 2: 5, 4: 10, 8: 20 };

function characterText(code: number): string {
  const named: Readonly<Record<number, string>> = { 9: '\\t', 10: '\\n', 13: '\\r', 39: "\\'", 92: '\\\\' };
  if (named[code] !== undefined) return `'${named[code]}'`;
  return code >= 32 && code < 127 ? `'${String.fromCharCode(code)}'` : `'\\x${code.toString(16).padStart(2, '0')}'`;
}

function dump(context: HmpContext, args: readonly string[], physical: boolean): string {
  const { count, kind, size, rest } = parseFormat(args);
  const start = value(context, rest);
  const perLine = kind === 'c' || size === 1 ? LINE_BYTES.bytes : LINE_BYTES.other;
  const lines: string[] = [];
  for (let done = 0; done < count * size; done += perLine) {
    const address = start + BigInt(done);
    const label = address.toString(16).padStart(physical ? 8 : 16, '0');
    const length = Math.min(perLine, count * size - done);
    const bytes = context.target.readMemory?.(address, length, physical ? undefined : context.cpuIndex);
    if (bytes === undefined) {
      lines.push(`${label}: Cannot access memory`);
      break;
    }
    const cells: string[] = [];
    for (let at = 0; at < length; at += size) {
      let word = 0n;
      for (let i = size - 1; i >= 0; i--) word = (word << 8n) | BigInt(bytes[at + i]!);
      cells.push(show(word, kind, size, kind !== 'd' && kind !== 'u'));
    }
    lines.push(`${label}: ${cells.join(' ')}`);
  }
  return lines.map((line) => `${line}\n`).join('');
}

/** Checksum of BSD's sum, 16 bits. */
function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (const byte of bytes) sum = (((sum >> 1) | (sum << 15)) + byte) & 0xffff;
  return sum;
}

/** The last word of a line, in quotes or not. */
function fileName(text: string | undefined): string {
  if (text === undefined) throw new RangeError("'filename' is missing");
  return text.replace(/^"(.*)"$/, '$1');
}

const save = (name: string, help: string, virtual: boolean): HmpCommand => ({
  names: [name],
  usage: 'addr size file',
  help,
  run: (context, [address, size, ...file]) => {
    const [at, length] = [value(context, address ?? ''), value(context, size ?? '')];
    const path = fileName(file.length === 0 ? undefined : file.join(' '));
    context.target.saveMemory(Number(at), Number(length), path, virtual ? context.cpuIndex : undefined);
    return '';
  },
});

/** Commands of the human monitor that look at memory and calculate. */
export const HMP_MEMORY_COMMANDS: readonly HmpCommand[] = [
  {
    names: ['x'],
    usage: '/fmt addr',
    help: 'shows memory as the vCPU sees it',
    run: (context, args) => dump(context, args, false),
  },
  {
    names: ['xp'],
    usage: '/fmt addr',
    help: 'shows physical memory',
    run: (context, args) => dump(context, args, true),
  },
  {
    names: ['print', 'p'],
    usage: '/fmt expr',
    help: 'shows the value of an expression; $reg is a register of the vCPU',
    run(context, args) {
      const { kind, rest } = parseFormat(args);
      return `${show(value(context, rest), kind, 8, false)}\n`;
    },
  },
  {
    names: ['sum'],
    usage: 'addr size',
    help: 'shows a checksum of physical memory',
    run(context, [address, size]) {
      const length = Number(value(context, size ?? ''));
      const bytes = context.target.readMemory?.(value(context, address ?? ''), length, undefined);
      if (bytes === undefined) throw new RangeError('Cannot access memory');
      return `${checksum(bytes).toString().padStart(5, '0')}\n`;
    },
  },
  save('memsave', 'writes memory as the vCPU sees it to a file', true),
  save('pmemsave', 'writes physical memory to a file', false),
  {
    names: ['gpa2hva'],
    usage: 'addr',
    help: 'refused: memory is no address of this process',
    run() {
      throw new RangeError('guest memory has no address in this process that another program could use');
    },
  },
];
