/** Kinds of sections as they begin. */
export type SectionKind = 'start' | 'part' | 'end' | 'full';

/** A section's name and number. */
export interface SectionFacts {
  readonly id: number;
  readonly idstr: string;
  readonly instanceId: number;
}

/** Told of the sections of a stream, as they are written or read. */
export interface SectionProbe {
  /** A section begins at this offset of the stream. */
  sectionBegin(kind: SectionKind, section: SectionFacts, offset: number): void;
  /** The section that has begun ends at this offset. */
  sectionEnd(offset: number): void;
}
