import { CpuExit, type CpuType, defineCpu, type VCpu } from '@sterna/core';
import { CodePeer } from './code-peer.ts';

/**
 * A processor that does nothing but let time pass, as much as it is told to: an instruction takes a nanosecond. The harness
 * makes the accesses that a guest would make.
 */
export class PacedCpu implements VCpu {
  readonly index = 0;
  readonly sections = [];
  readonly instrumentation: CodePeer = new CodePeer();
  executed = 0;
  /** Nanoseconds still to pass. */
  left = 0;
  /** Told when the last of them has passed. */
  onDone: () => void = () => {};

  get halted(): boolean {
    return this.left === 0;
  }

  run(budget: number): CpuExit {
    this.executed = Math.min(budget, this.left);
    this.left -= this.executed;
    if (this.left === 0) this.onDone();
    return CpuExit.BUDGET;
  }
  hasWork(): boolean {
    return false;
  }
  limitBudget(): void {}
  requestExit(): void {}
  reset(): void {}
  flushTlb(): void {}
  flushWriteTags(): void {}
  invalidateCode(): void {}
  registers(): [] {
    return [];
  }
  describe(): string {
    return '';
  }
  translateDebug(): undefined {
    return undefined;
  }
}

/** A processor type whose only instance is `cpu`. */
export function pacedCpuType(cpu: PacedCpu): CpuType {
  return defineCpu({
    name: 'paced',
    description: 'lets time pass',
    properties: {},
    hasTimestampCounter: true,
    create: () => cpu,
  });
}
