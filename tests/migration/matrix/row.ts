import type { ProgramName } from '../../support/vm.ts';

/** Programs on both sides of a test. */
export interface Direction {
  readonly from: 'sterna' | 'qemu-7.2' | 'qemu-new';
  readonly to: 'sterna' | 'qemu-7.2' | 'qemu-new';
}

/** One test of QEMU's migration suite (tests/qtest/migration, v10.0), and what became of it here. */
export interface Row {
  /** Its name below `/migration/`. */
  readonly name: string;
  /** What it proves, in a few words. */
  readonly proves: string;
  /** Our test. */
  readonly run?: (direction: Direction) => Promise<void>;
  /** Who migrates to whom; from Sterna to Sterna by default. */
  readonly directions?: readonly Direction[];
  /** Directions that only the long run goes. */
  readonly longDirections?: readonly Direction[];
  /** Without a test: the feature that it waits for. */
  readonly later?: string;
  /** Without a test: what there is in its place, or why there will be none. */
  readonly instead?: string;
  /** What our test does beyond QEMU's, or otherwise. */
  readonly note?: string;
}

/** From Sterna to Sterna. */
export const SELF: Direction = { from: 'sterna', to: 'sterna' };

/** Sterna to itself, and both ways with a peer. */
export function withPeer(peer: 'qemu-7.2' | 'qemu-new'): readonly Direction[] {
  return [SELF, { from: 'sterna', to: peer }, { from: peer, to: 'sterna' }];
}

/** Both ways with a peer. */
export function onlyPeer(peer: 'qemu-7.2' | 'qemu-new'): readonly Direction[] {
  return withPeer(peer).slice(1);
}

const NAMES: Readonly<Partial<Record<ProgramName, string>>> = {
  sterna: 'Sterna',
  'qemu-7.2': 'QEMU 7.2',
  'qemu-new': 'newest QEMU',
};

/** For titles and tables. */
export function directionText({ from, to }: Direction): string {
  return `${NAMES[from]} to ${NAMES[to]}`;
}
