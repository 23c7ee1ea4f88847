/** Layout of a binary floating-point format. */
interface Format {
  readonly bytes: number;
  /** Bits of significand, with the integer bit. */
  readonly precision: number;
  readonly bias: number;
  /** Whether the integer bit is stored (only the 80-bit format). */
  readonly explicit: boolean;
}

const FORMATS: Readonly<Record<number, Format>> = {
  4: { bytes: 4, precision: 24, bias: 127, explicit: false },
  8: { bytes: 8, precision: 53, bias: 1023, explicit: false },
  10: { bytes: 10, precision: 64, bias: 16383, explicit: true },
};

/**
 * Bits of a decimal number in single, double or extended precision, rounded to nearest even.
 *
 * @param text - such as `-1.5e10`
 * @param bytes - 4, 8 or 10
 * @returns the bits, or `undefined` if there is no format of this size
 */
export function encodeFloat(text: string, bytes: number): bigint | undefined {
  const format = FORMATS[bytes];
  if (format === undefined) return undefined;
  const [, sign, whole, fraction = '', exponent = '0'] = /^([+-]?)([0-9]*)\.?([0-9]*)(?:[eE]([+-]?[0-9]+))?$/.exec(
    text,
  )!;
  const signBit = sign === '-' ? 1n << BigInt(bytes * 8 - 1) : 0n;
  const digits = BigInt((whole ?? '') + fraction || '0');
  const power = Number(exponent) - fraction.length;
  const numerator = digits * 10n ** BigInt(Math.max(power, 0));
  const denominator = 10n ** BigInt(Math.max(-power, 0));
  return signBit | magnitude(numerator, denominator, format);
}

function magnitude(numerator: bigint, denominator: bigint, { bytes, precision, bias, explicit }: Format): bigint {
  if (numerator === 0n) return 0n;
  const stored = explicit ? precision : precision - 1;
  const exponentBits = bytes * 8 - 1 - stored;
  const least = 1 - bias;
  // The exponent of the leading bit, never below that of the smallest normal number.
  let exponent = Math.max(exactExponent(numerator, denominator), least);
  const shift = BigInt(precision - 1 - exponent);
  const [top, bottom] = shift >= 0n ? [numerator << shift, denominator] : [numerator, denominator << -shift];
  let significand = top / bottom;
  const twice = (top % bottom) * 2n;
  if (twice > bottom || (twice === bottom && (significand & 1n) === 1n)) significand++;
  if (significand >> BigInt(precision) !== 0n) {
    significand >>= 1n;
    exponent++;
  }
  const normal = significand >> BigInt(precision - 1) !== 0n;
  const most = (1n << BigInt(exponentBits)) - 1n;
  let biased = normal ? BigInt(exponent + bias) : 0n;
  if (biased >= most) {
    biased = most;
    significand = explicit ? 1n << BigInt(precision - 1) : 0n;
  }
  return (biased << BigInt(stored)) | (significand & ((1n << BigInt(stored)) - 1n));
}

/** floor(log2(numerator / denominator)). */
function exactExponent(numerator: bigint, denominator: bigint): number {
  const guess = bitLength(numerator) - bitLength(denominator);
  const atLeast = guess >= 0 ? numerator >= denominator << BigInt(guess) : numerator << BigInt(-guess) >= denominator;
  return atLeast ? guess : guess - 1;
}

function bitLength(value: bigint): number {
  return value.toString(2).length;
}
