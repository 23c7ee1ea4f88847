export { type AssembleOptions, type Assembly, assemble } from './assembler.ts';
export { AssemblerError, type SourcePosition } from './errors.ts';
