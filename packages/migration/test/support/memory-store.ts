import { SternaError } from '@sterna/core';
import type {
  SnapshotFacts,
  SnapshotInfo,
  SnapshotStore,
  VmStateSink,
  VmStateSource,
} from '../../src/snapshot/store.ts';

interface Kept {
  readonly info: SnapshotInfo;
  bytes: Uint8Array;
}

/** A store in memory, with calls that fail when a test says so. */
export class MemoryStore implements SnapshotStore {
  readonly name: string;
  readonly kept: Kept[] = [];
  /** What is made and not yet complete or given up. */
  pending = 0;
  /** Called with the name of each step; throws to make it fail. */
  fault: (step: 'begin' | 'write' | 'commit' | 'open' | 'read') => void | Promise<void> = () => {};
  #next = 1;

  constructor(name = 'store') {
    this.name = name;
  }
  async list(): Promise<readonly SnapshotInfo[]> {
    return this.kept.map(({ info }) => info);
  }
  async begin(): Promise<VmStateSink> {
    await this.fault('begin');
    this.pending++;
    let bytes = new Uint8Array();
    return {
      write: async (offset, part) => {
        await this.fault('write');
        const grown = new Uint8Array(Math.max(bytes.length, offset + part.length));
        grown.set(bytes);
        grown.set(part, offset);
        bytes = grown;
      },
      commit: async (facts: SnapshotFacts) => {
        await this.fault('commit');
        const info = { ...facts, id: String(this.#next++), vmStateSize: bytes.length };
        this.kept.push({ info, bytes });
        this.pending--;
        return info;
      },
      abort: async () => {
        this.pending--;
      },
    };
  }
  async open(id: string): Promise<VmStateSource> {
    await this.fault('open');
    const found = this.kept.find(({ info }) => info.id === id);
    if (found === undefined) throw new SternaError('STERNA_ERR_SNAPSHOT', `no ${id}`);
    return {
      size: found.bytes.length,
      read: async (offset, into) => {
        await this.fault('read');
        const part = found.bytes.subarray(offset, offset + into.length);
        into.set(part);
        return part.length;
      },
      close: async () => {},
    };
  }
  async remove(id: string): Promise<void> {
    const at = this.kept.findIndex(({ info }) => info.id === id);
    if (at >= 0) this.kept.splice(at, 1);
  }
}
