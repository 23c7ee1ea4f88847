const SPLIT = 2 ** 20;

/**
 * floor(a * b / c) with an exact product, for clocks: `a` up to 2^53, `b` and
 * `c` below 2^31. Numbers only, because it runs on every read of a counter.
 */
export function muldiv64(a: number, b: number, c: number): number {
  const direct = a * b;
  if (direct <= Number.MAX_SAFE_INTEGER) return Math.floor(direct / c);
  // a = whole * c + rest: the whole part needs no division, the rest is below c < 2^31.
  const whole = Math.floor(a / c);
  const rest = a - whole * c;
  // rest * b may reach 2^62: long division in two digits of base 2^20 keeps every step below 2^53, where
  // the floor of a rounded quotient is the true one.
  const high = Math.floor(rest / SPLIT);
  const low = rest - high * SPLIT;
  const upper = high * b;
  const carried = (upper % c) * SPLIT;
  const tail = carried % c;
  return whole * b + Math.floor(upper / c) * SPLIT + Math.floor(carried / c) + Math.floor((tail + low * b) / c);
}
