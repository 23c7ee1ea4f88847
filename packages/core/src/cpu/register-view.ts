/** A register as a debugger or `info registers` shows it. */
export interface RegisterView {
  readonly name: string;
  readonly bits: number;
  read(): bigint;
  write(value: bigint): void;
}
