/** What a stream consists of, as inspection shows it. */
import type { StreamPlace } from '../errors.ts';
import type { DecodedStruct } from '../vmstate/decode.ts';
import type { VmDescription } from '../vmstate/describe.ts';
import type { RamSummary } from './ram-walk.ts';

/** A subsection of the configuration. */
export interface ConfigurationPart {
  readonly name: string;
  readonly version: number;
  readonly offset: number;
  readonly body: Uint8Array;
  /** What it says. */
  readonly meaning: string;
}

/** Content of a section. */
export type SectionBody =
  | { readonly kind: 'ram'; readonly summary: RamSummary }
  | {
      readonly kind: 'fields';
      readonly state: DecodedStruct;
      /** Whose description it was decoded by: the stream's own, or the tables of this build. */
      readonly by: 'stream' | 'tables';
    }
  /** Bytes that nobody describes: of live devices, or of a stream without a description. */
  | { readonly kind: 'bytes' };

/** A section of the stream. */
export interface SectionItem {
  readonly type: 'section';
  readonly offset: number;
  readonly kind: 'start' | 'part' | 'end' | 'full';
  readonly id: number;
  readonly idstr: string;
  readonly instance: number;
  readonly version: number;
  /** Where its body begins, and how long it is; up to the damage when the section is not complete. */
  readonly bodyOffset: number;
  bodyLength: number;
  body: SectionBody;
  /** Whether the footer is there. */
  footer: boolean;
}

/** A part of a stream. `offset` is its first byte. */
export type StreamItem =
  | { readonly type: 'header'; readonly offset: number; readonly version: number }
  | {
      readonly type: 'configuration';
      readonly offset: number;
      readonly machine: string;
      readonly parts: readonly ConfigurationPart[];
    }
  | {
      readonly type: 'command';
      readonly offset: number;
      readonly command: number;
      readonly name: string;
      readonly payload: Uint8Array;
      readonly meaning: string;
    }
  | SectionItem
  | { readonly type: 'eof'; readonly offset: number }
  | {
      readonly type: 'vmdescription';
      readonly offset: number;
      readonly length: number;
      /** Undefined when it is no JSON of the expected form. */
      readonly description: VmDescription | undefined;
    }
  | { readonly type: 'trailing'; readonly offset: number; readonly length: number }
  /** Something that is odd, and does not keep from reading on. */
  | { readonly type: 'warning'; readonly offset: number; readonly message: string }
  /** Nothing behind it can be read. */
  | {
      readonly type: 'damage';
      readonly offset: number;
      readonly message: string;
      readonly place: StreamPlace;
    };
