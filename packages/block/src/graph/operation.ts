import type { BlockParent } from './block-node.ts';

/** A user of a node that makes one request after another itself, and none while it is the one that drains. */
export class Operation implements BlockParent {
  readonly description: string;

  /** @param name - What is done, for messages: `block_resize`. */
  constructor(name: string) {
    this.description = `operation '${name}'`;
  }

  drainedBegin(): void {}
  drainedEnd(): void {}
  settled(): Promise<void> {
    return Promise.resolve();
  }
  resized(): void {}
}
