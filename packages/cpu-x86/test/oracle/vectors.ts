/** One vector of a `.nov` file with its expected outcome from a `.nor` file; both stay views of the files' bytes. */
export interface Vector {
  readonly id: number;
  readonly mode: 16 | 32 | 64;
  readonly name: string;
  readonly code: Uint8Array;
  readonly class: number;
  readonly seed: number;
  /** Bits of RFLAGS to compare. */
  readonly mask: number;
  readonly codeOffset: number;
  readonly start: DataView;
  readonly expected: DataView;
}

/** Size of a vector; offsets of its parts (see the oracle's README). */
export const VECTOR = { size: 704, regs: 16, rflags: 144, code: 152, fx: 192, patches: 192 + 416 } as const;
/** Offsets in a result after id, status, vector, count. */
export const RESULT = {
  status: 4,
  vector: 5,
  changes: 6,
  error: 8,
  regs: 16,
  rflags: 144,
  rip: 152,
  cr2: 160,
  fx: 192,
  data: 704,
} as const;

/** Fixed addresses of the oracle's regions. */
export const REGION = { code: 0x2000_0000, data: 0x1000_0000, size: 0x2000, gsBase: 0x1000_0400 } as const;

/** Reads vectors and the results that belong to them, in order. */
export function* readVectors(nov: Uint8Array, nor: Uint8Array): Generator<Vector> {
  const view = new DataView(nov.buffer, nov.byteOffset, nov.byteLength);
  const results = new DataView(nor.buffer, nor.byteOffset, nor.byteLength);
  const count = view.getUint32(4, true);
  const names = view.getUint32(12, true);
  const text = (at: number): string => new TextDecoder().decode(nov.subarray(at, at + 16)).replace(/\0.*$/s, '');
  let result = 16;
  for (let i = 0; i < count; i++) {
    const at = 16 + names * 16 + i * VECTOR.size;
    const start = new DataView(nov.buffer, nov.byteOffset + at, VECTOR.size);
    const changes = results.getUint16(result + RESULT.changes, true);
    const length = RESULT.data + 4 * changes;
    const expected = new DataView(nor.buffer, nor.byteOffset + result, length);
    result += length;
    const codeLength = start.getUint8(5);
    yield {
      id: start.getUint32(0, true),
      mode: start.getUint8(4) as 16 | 32 | 64,
      name: text(16 + start.getUint16(190, true) * 16),
      code: nov.subarray(at + VECTOR.code, at + VECTOR.code + codeLength),
      class: start.getUint8(6),
      seed: start.getUint32(8, true),
      mask: start.getUint32(12, true),
      codeOffset: start.getUint16(188, true),
      start,
      expected,
    };
  }
}
