/** Errors of a migration. Every one is a SternaError with a code of core's table. */
import { SternaError } from '@sterna/core';

/** Where in a stream something is wrong. */
export interface StreamPlace {
  /** Section idstr, or the part of the framing that was being read. */
  readonly section?: string | undefined;
  readonly instance?: number | undefined;
  /** Field with its path inside the section, e.g. `channels[1].count`. */
  readonly field?: string | undefined;
  /** Bytes from the start of the stream. */
  readonly offset?: number | undefined;
}

/** An incoming stream that is cut, corrupt, or from a machine that does not match. */
export class StreamError extends SternaError {
  readonly place: StreamPlace;
  /** What was wrong, without the place. */
  readonly detail: string;

  constructor(detail: string, place: StreamPlace = {}, options?: ErrorOptions) {
    super('STERNA_ERR_STREAM', placeText(place) + detail, options);
    this.detail = detail;
    this.place = place;
  }

  /**
   * The same error with more known about its place. What the inner code knew wins; field paths are joined.
   *
   * @param cause anything thrown while a section was read; a device's own error becomes the cause.
   */
  static at(cause: unknown, outer: StreamPlace): StreamError {
    if (!(cause instanceof StreamError)) {
      return new StreamError(cause instanceof Error ? cause.message : String(cause), outer, { cause });
    }
    const { place } = cause;
    return new StreamError(
      cause.detail,
      {
        section: place.section ?? outer.section,
        instance: place.instance ?? outer.instance,
        field: place.field ?? outer.field,
        offset: place.offset ?? outer.offset,
      },
      cause.cause === undefined ? {} : { cause: cause.cause },
    );
  }
}

function placeText({ section, instance, field, offset }: StreamPlace): string {
  const parts: string[] = [];
  if (section !== undefined) parts.push(`section '${section}'${instance === undefined ? '' : ` instance ${instance}`}`);
  if (field !== undefined) parts.push(`field ${field}`);
  if (offset !== undefined) parts.push(`stream offset ${offset}`);
  return parts.length === 0 ? '' : `${parts.join(', ')}: `;
}

/** A migration channel that could not be opened, or failed. */
export class TransportError extends SternaError {
  constructor(message: string, options?: ErrorOptions) {
    super('STERNA_ERR_TRANSPORT', message, options);
  }
}

/** The same, made by whoever knows only what went wrong. */
export function transportFailure(message: string, cause?: unknown): TransportError {
  return new TransportError(message, { cause });
}

/** A migration command in a state that does not allow it. */
export class MigrationStateError extends SternaError {
  constructor(message: string) {
    super('STERNA_ERR_MIGRATION_STATE', message);
  }
}

/** The migration was cancelled. */
export class MigrationCancelled extends SternaError {
  constructor() {
    super('STERNA_ERR_MIGRATION_CANCELLED', 'the migration was cancelled');
  }
}

/** The text of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
