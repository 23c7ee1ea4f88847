import { type ErrorCode, SternaError } from '../errors.ts';

/** What every request may say. */
export interface BlockRequest {
  /**
   * Ends the wait for a turn, a timer or the next part. What the host is doing already is waited for: once a request is
   * settled nobody touches its buffer. An aborted write may have written any part.
   */
  readonly signal?: AbortSignal | undefined;
}

/** What a request that writes may say. */
export interface BlockWriteRequest extends BlockRequest {
  /** Settles when the data is on stable storage (force unit access). */
  readonly fua?: boolean | undefined;
}

/** What a request that zeroes may say. */
export interface BlockZeroRequest extends BlockWriteRequest {
  /** The range may become unallocated. */
  readonly mayUnmap?: boolean | undefined;
  /** Fails with ENOTSUP rather than writing zeroes one by one. */
  readonly noFallback?: boolean | undefined;
}

/**
 * Bytes that can be read and written at any offset. Failures are {@link BlockError}s. Offsets and lengths are numbers
 * of bytes, at most 2^53 - 1; a request is at most {@link MAX_BLOCK_REQUEST} bytes long. Requests under way at the same
 * time may be served in any order; a flush covers the writes that were settled before it was made.
 */
export interface BlockIo {
  /** Bytes. */
  readonly length: number;
  /** Fills `into`. */
  read(offset: number, into: Uint8Array, request?: BlockRequest): Promise<void>;
  /** The caller leaves `bytes` alone until it is settled. */
  write(offset: number, bytes: Uint8Array, request?: BlockWriteRequest): Promise<void>;
  /** The range reads as zeroes afterwards. */
  writeZeroes(offset: number, length: number, request?: BlockZeroRequest): Promise<void>;
  /** The range is not needed any more; what it reads as is open. */
  discard(offset: number, length: number, request?: BlockRequest): Promise<void>;
  /** Puts what was written on stable storage. */
  flush(request?: BlockRequest): Promise<void>;
  /** Makes it longer, with zeroes, or shorter. */
  truncate(length: number, request?: BlockRequest): Promise<void>;
}

/** Longest read or write in bytes. Zeroing and discarding have no limit. */
export const MAX_BLOCK_REQUEST = 0x7ffe_0000;

/** A request on a block node that failed. */
export class BlockError extends SternaError {
  /** The host's or the injected reason as its POSIX name: `EIO`, `ENOSPC`. */
  readonly errno: string;

  constructor(errno: string, message: string, options?: ErrorOptions & { readonly code?: ErrorCode }) {
    super(options?.code ?? 'STERNA_ERR_BLOCK_IO', message, options);
    this.errno = errno;
  }
}

/** True when a driver cannot do what was asked and the caller should take another way. */
export function isNotSupported(error: unknown): boolean {
  return error instanceof BlockError && error.errno === 'ENOTSUP';
}
