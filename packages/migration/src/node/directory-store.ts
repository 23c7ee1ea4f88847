import { type FileHandle, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { SternaError } from '@sterna/core';
import { messageOf } from '../errors.ts';
import { parseSnapshotRecord, type SnapshotRecord, snapshotInfo, snapshotRecordText } from '../snapshot/record.ts';
import type { SnapshotFacts, SnapshotInfo, SnapshotStore, VmStateSink, VmStateSource } from '../snapshot/store.ts';

/** Bytes checked at once; the guest runs in between. */
const CHECK_SIZE = 2 ** 20;
const RECORD = /^snapshot-(\d{1,9})\.json$/;
const STATE = /^snapshot-(\d{1,9})\.(?:json|vmstate)$/;

/**
 * Snapshots in a directory, two files for each: `snapshot-N.vmstate`, the plain stream, which `sterna stream inspect`
 * and QEMU's `-incoming file:` read, and `snapshot-N.json` with the facts and a checksum. The second is written last:
 * a snapshot without it does not exist.
 */
export class DirectorySnapshotStore implements SnapshotStore {
  readonly name: string;
  readonly #directory: string;

  constructor(name: string, directory: string) {
    this.name = name;
    this.#directory = directory;
  }

  async list(): Promise<readonly SnapshotInfo[]> {
    const records = await this.#records();
    return records.flatMap((record) => (record instanceof Error ? [] : [snapshotInfo(record)]));
  }

  async damaged(): Promise<readonly string[]> {
    return (await this.#records()).flatMap((record) => (record instanceof Error ? [record.message] : []));
  }

  async #records(): Promise<(SnapshotRecord | Error)[]> {
    const names = (await this.#names()).filter((name) => RECORD.test(name));
    const numbers = names.map((name) => Number(RECORD.exec(name)![1])).sort((a, b) => a - b);
    return Promise.all(numbers.map((number) => this.#record(String(number)).catch((error: Error) => error)));
  }

  async #names(): Promise<string[]> {
    try {
      return await readdir(this.#directory);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw hostError(`cannot read the snapshots in ${this.#directory}`, error);
    }
  }

  async #record(id: string): Promise<SnapshotRecord> {
    const path = this.#path(id, 'json');
    let text: string;
    try {
      text = await readFile(path, 'utf8');
    } catch (error) {
      throw hostError(`cannot read ${path}`, error);
    }
    return parseSnapshotRecord(text, path, id);
  }

  async begin(): Promise<VmStateSink> {
    try {
      await mkdir(this.#directory, { recursive: true, mode: 0o700 });
      const taken = (await this.#names()).map((name) => Number(STATE.exec(name)?.[1] ?? 0));
      // Two machines may share the directory: whoever makes the file first has the number.
      for (let number = Math.max(0, ...taken) + 1; ; number++) {
        const file = await open(this.#path(String(number), 'vmstate'), 'wx+', 0o600).catch((error) => {
          if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
        });
        if (file !== undefined) return new Sink(file, String(number), (id, kind) => this.#path(id, kind));
      }
    } catch (error) {
      throw hostError(`cannot save into ${this.#directory}`, error);
    }
  }

  async open(id: string): Promise<VmStateSource> {
    const record = await this.#record(id);
    const path = this.#path(id, 'vmstate');
    const file = await open(path, 'r').catch((error) => {
      throw hostError(`cannot read ${path}`, error);
    });
    const source = new Source(file, path, record['vm-state-size']);
    try {
      await source.check(record.crc32);
      return source;
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async remove(id: string): Promise<void> {
    try {
      // In this order a crash in between leaves no snapshot without its state.
      await rm(this.#path(id, 'json'), { force: true });
      await rm(this.#path(id, 'vmstate'), { force: true });
    } catch (error) {
      throw hostError(`cannot delete snapshot ${id} in ${this.#directory}`, error);
    }
  }

  #path(id: string, kind: 'json' | 'vmstate'): string {
    return join(this.#directory, `snapshot-${id}.${kind}`);
  }
}

class Sink implements VmStateSink {
  readonly #file: FileHandle;
  readonly #id: string;
  readonly #path: (id: string, kind: 'json' | 'vmstate') => string;
  #crc = 0;
  /** Bytes of the beginning that the checksum covers; writes that come in order need no second look. */
  #summed = 0;
  #size = 0;

  constructor(file: FileHandle, id: string, path: (id: string, kind: 'json' | 'vmstate') => string) {
    this.#file = file;
    this.#id = id;
    this.#path = path;
  }

  async write(offset: number, bytes: Uint8Array): Promise<void> {
    if (offset === this.#summed) {
      this.#crc = crc32(bytes, this.#crc);
      this.#summed += bytes.length;
    }
    this.#size = Math.max(this.#size, offset + bytes.length);
    try {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await this.#file.write(bytes, done, bytes.length - done, offset + done);
        done += bytesWritten;
      }
    } catch (error) {
      throw hostError(`cannot write ${this.#path(this.#id, 'vmstate')}`, error);
    }
  }

  async commit(facts: SnapshotFacts): Promise<SnapshotInfo> {
    const path = this.#path(this.#id, 'json');
    try {
      const crc = this.#summed === this.#size ? this.#crc : await checksum(this.#file, this.#size);
      await this.#file.sync();
      await this.#file.close();
      const info: SnapshotInfo = { ...facts, id: this.#id, vmStateSize: this.#size };
      const record = await open(`${path}.part`, 'w', 0o600);
      try {
        await record.writeFile(snapshotRecordText(info, crc));
        await record.sync();
      } finally {
        await record.close();
      }
      await rename(`${path}.part`, path);
      return info;
    } catch (error) {
      throw hostError(`cannot write ${path}`, error);
    }
  }

  async abort(): Promise<void> {
    await this.#file.close().catch(() => {});
    for (const path of [`${this.#path(this.#id, 'json')}.part`, this.#path(this.#id, 'vmstate')])
      await rm(path, { force: true });
  }
}

class Source implements VmStateSource {
  readonly size: number;
  readonly #file: FileHandle;
  readonly #path: string;

  constructor(file: FileHandle, path: string, size: number) {
    this.#file = file;
    this.#path = path;
    this.size = size;
  }

  /** Compares size and checksum with what was saved. @throws SternaError `STERNA_ERR_SNAPSHOT_CORRUPT` */
  async check(expected: number): Promise<void> {
    const { size } = await this.#file.stat();
    if (size !== this.size)
      throw corrupt(`${this.#path} has ${size} bytes, ${this.size} were saved: it was cut or overwritten`);
    const found = await checksum(this.#file, size);
    if (found !== expected)
      throw corrupt(`the checksum of ${this.#path} is ${hex(found)}, not ${hex(expected)} as when it was saved`);
  }

  async read(offset: number, into: Uint8Array): Promise<number> {
    try {
      return (await this.#file.read(into, 0, into.length, offset)).bytesRead;
    } catch (error) {
      throw hostError(`cannot read ${this.#path}`, error);
    }
  }
  async close(): Promise<void> {
    await this.#file.close().catch(() => {});
  }
}

async function checksum(file: FileHandle, size: number): Promise<number> {
  const buffer = new Uint8Array(CHECK_SIZE);
  let sum = 0;
  for (let at = 0; at < size; ) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, size - at), at);
    if (bytesRead === 0) break;
    sum = crc32(buffer.subarray(0, bytesRead), sum);
    at += bytesRead;
  }
  return sum;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

function corrupt(message: string): SternaError {
  return new SternaError('STERNA_ERR_SNAPSHOT_CORRUPT', message);
}

function hostError(what: string, error: unknown): SternaError {
  if (error instanceof SternaError) return error;
  return new SternaError('STERNA_ERR_HOST_IO', `${what}: ${messageOf(error)}`, { cause: error });
}
