import { SternaError } from '@sterna/core';

/** A place in assembly source. */
export interface SourcePosition {
  /** Name given to {@link assemble}, for messages. */
  readonly file: string;
  /** Line number, counted from 1. Inside a macro it is the line of the macro's body. */
  readonly line: number;
}

/** Assembly source that cannot be assembled. The message starts with `file:line:`. */
export class AssemblerError extends SternaError {
  readonly position: SourcePosition;

  constructor(position: SourcePosition, reason: string) {
    super('STERNA_ERR_ASSEMBLER', `${position.file}:${position.line}: ${reason}`);
    this.position = position;
  }
}
