import { faultingMicro, type Micro } from '../semantics/micro.ts';

/** Raises #GP(0) unless the current privilege may access `bytes` bytes at a port. */
export const ioCheck: Micro = faultingMicro('io_check', ['i32', 'i32'], () => {});
