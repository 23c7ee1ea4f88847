/** What is known of one side of a migration before it begins. */
import type { WireProperties } from '@sterna/migration';

/** A RAM block. */
export interface BlockFacts {
  readonly name: string;
  /** Bytes on the wire. */
  readonly used: number;
  /** Most bytes it may take over. */
  readonly most: number;
}

/** One side. What could not be found out is undefined. */
export interface MachineFacts {
  /** Who it is, for people: `Sterna 0.1.0`, `QEMU 7.2.22`. */
  readonly who: string;
  /** Version of a real QEMU, e.g. 7.2 as [7, 2]; undefined for Sterna. */
  readonly qemu: readonly [major: number, minor: number] | undefined;
  /** Machine type. */
  readonly machine: string | undefined;
  readonly runState: string;
  readonly uuid: string;
  readonly cpus: number;
  /** Feature bits of a vCPU by word. */
  readonly features: Readonly<Record<string, number>> | undefined;
  readonly blocks: readonly BlockFacts[] | undefined;
  /** Devices with a section of their own, by the section's name without path, and how many of them. */
  readonly devices: Readonly<Record<string, number>> | undefined;
  readonly capabilities: Readonly<Record<string, boolean>>;
  readonly parameters: Readonly<Record<string, unknown>>;
  /** What forbids a migration away now. */
  readonly blocked: readonly string[];
  /** What Sterna writes; QEMU's layout follows from its version. */
  readonly wire: WireProperties | undefined;
  readonly wireName: string | undefined;
}

/** How grave a finding is: a migration fails; it may fail or surprise; it is good to know. */
export type FindingLevel = 'blocker' | 'warning' | 'note';

/** Something found before a migration. */
export interface Finding {
  readonly level: FindingLevel;
  /** What it is about: `cpu`, `firmware`, `memory`. */
  readonly about: string;
  /** What is so, and what to do. */
  readonly text: string;
}
