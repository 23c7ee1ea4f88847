import { type ErrorCode, SternaError } from '@sterna/core';

/** QAPI's error classes. */
export type QmpErrorClass = 'GenericError' | 'CommandNotFound' | 'DeviceNotActive' | 'DeviceNotFound' | 'KVMMissingCap';

/** An error as it goes over the wire; `data.code` is ours, for programs that want to tell errors apart. */
export interface QmpErrorBody {
  readonly class: QmpErrorClass;
  readonly desc: string;
  readonly data?: { readonly code: ErrorCode };
}

/** A command that failed, with its error class. Thrown by commands and by the client. */
export class QmpError extends Error {
  readonly class: QmpErrorClass;
  /** Code of the `SternaError` behind it, when the other end told one. */
  readonly code: ErrorCode | undefined;

  constructor(errorClass: QmpErrorClass, desc: string, code?: ErrorCode) {
    super(desc);
    this.name = 'QmpError';
    this.class = errorClass;
    this.code = code;
  }
}

/** The wire form of anything a command threw. */
export function errorBody(error: unknown): QmpErrorBody {
  if (error instanceof QmpError) {
    return {
      class: error.class,
      desc: error.message,
      ...(error.code === undefined ? {} : { data: { code: error.code } }),
    };
  }
  const desc = error instanceof Error ? error.message : String(error);
  const code = error instanceof SternaError ? error.code : 'STERNA_ERR_INTERNAL';
  return { class: 'GenericError', desc, data: { code } };
}
