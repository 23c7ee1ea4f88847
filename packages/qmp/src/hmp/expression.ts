/** Value of a register by its name without `$`; undefined when there is none. */
export type RegisterValue = (name: string) => bigint | undefined;

const OPERATORS: readonly (readonly string[])[] = [
  ['+', '-'],
  ['&', '|', '^'],
  ['*', '/', '%'],
];

/**
 * Evaluates an expression of the human monitor: numbers, `$register`, `+ - * / % & | ^`, unary `+ - ~`, parentheses; 64 bits.
 *
 * @throws RangeError with QEMU's sentence.
 */
export function evaluate(text: string, register: RegisterValue): bigint {
  const tokens = text.match(/\$\w+|0x[0-9a-f]+|\d+|'.'|\S/gi) ?? [];
  let at = 0;
  const binary = (level: number): bigint => {
    const operators = OPERATORS[level];
    if (operators === undefined) return unary();
    let value = binary(level + 1);
    while (operators.includes(tokens[at] ?? '')) value = apply(tokens[at++]!, value, binary(level + 1));
    return value;
  };
  const unary = (): bigint => {
    const token = tokens[at++];
    if (token === undefined) throw new RangeError('unexpected end of expression');
    if (token === '+') return unary();
    if (token === '-') return -unary();
    if (token === '~') return ~unary();
    if (token === '(') {
      const value = binary(0);
      if (tokens[at++] !== ')') throw new RangeError("')' expected");
      return value;
    }
    if (token.startsWith("'") && token.length === 3) return BigInt(token.charCodeAt(1));
    if (token.startsWith('$')) {
      const value = register(token.slice(1));
      if (value === undefined) throw new RangeError('unknown register');
      return value;
    }
    if (!/^\d/.test(token)) throw new RangeError(`invalid char '${token[0]}' in expression`);
    // A leading zero means octal, as in C.
    return BigInt(/^0\d/.test(token) ? `0o${token}` : token);
  };
  const value = binary(0);
  if (at < tokens.length) throw new RangeError(`invalid char '${tokens[at]![0]}' in expression`);
  return BigInt.asUintN(64, value);
}

function apply(operator: string, a: bigint, b: bigint): bigint {
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '&':
      return a & b;
    case '|':
      return a | b;
    case '^':
      return a ^ b;
    default:
      if (b === 0n) throw new RangeError('division by zero');
      return operator === '/' ? a / b : a % b;
  }
}
