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

/** A migration channel that could not be secured: credentials, certificate, name or access list. */
export class TlsError extends SternaError {
  constructor(message: string, options?: ErrorOptions) {
    super('STERNA_ERR_TLS', message, options);
  }
}

/** A device that could not do its part, outside of the bytes of its section. */
export class DeviceStateError extends SternaError {
  /** @param what the device was asked for, e.g. `saveSetup` */
  constructor(section: { readonly idstr: string; readonly instanceId: number }, what: string, cause: unknown) {
    super(
      'STERNA_ERR_DEVICE_STATE',
      `section '${section.idstr}' instance ${section.instanceId}, ${what}: ${messageOf(cause)}`,
      { cause },
    );
  }
}

/** The destination said that it has failed: it does not run the guest. */
export class DestinationError extends SternaError {
  constructor() {
    super('STERNA_ERR_DESTINATION', 'the destination reports that it could not load the guest; its log says why');
  }
}

/** The source was cut off when the destination may have had everything already. */
export class OwnershipUnknownError extends SternaError {
  constructor(cause: unknown) {
    super(
      'STERNA_ERR_OWNERSHIP_UNKNOWN',
      `the destination had everything when the connection broke (${messageOf(cause)}), and may run the guest: ` +
        'look there; if it does not run, `cont` takes the guest back here',
      { cause },
    );
  }
}

/** A migration command in a state that does not allow it. */
export class MigrationStateError extends SternaError {
  constructor(message: string) {
    super('STERNA_ERR_MIGRATION_STATE', message);
  }
}

/** The migration was cancelled. */
export class MigrationCancelled extends SternaError {
  /** Why, when it was not simply asked for. */
  readonly why: string | undefined;

  constructor(why?: string) {
    super('STERNA_ERR_MIGRATION_CANCELLED', `the migration was cancelled${why === undefined ? '' : `: ${why}`}`);
    this.why = why;
  }
}

/** The text of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
